"""Scripts that run in Jobs inside the cluster, in the Airflow image; each is one file without own imports."""
