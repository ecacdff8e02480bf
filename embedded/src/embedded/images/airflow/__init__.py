"""The Airflow image: sources of its own files, and how it is made."""
