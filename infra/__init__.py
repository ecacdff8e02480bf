"""Airflow environments as code."""
