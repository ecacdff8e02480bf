"""Programs that read as a list: environment.py is one Airflow environment, cluster.py what they share."""
