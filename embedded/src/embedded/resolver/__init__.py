"""Names of load balancers, for Python programs inside `embedded run`."""
