"""EKS as far as Airflow environments use it: clusters that are the embedded node, access entries, Pod
Identity associations and add-ons. moto has the clusters only.
"""
