"""Pinned versions: one constant each, nothing else names a version.

A change of a constant here is a change of every environment, so it is reviewed with a preview attached.
"""

from __future__ import annotations

from typing import Final

# Airflow's release; the image, the option catalogue and the chart's templates must agree on it.
AIRFLOW: Final = "3.2.2"

# Repository of the official image; a deployment with DAGs baked in names its own in the stack file.
AIRFLOW_IMAGE_REPOSITORY: Final = "apache/airflow"

# Chart versions that chart_values knows how to fill, newest first. The first one is the default.
SUPPORTED_CHARTS: Final = ("1.21.0",)
CHART: Final = SUPPORTED_CHARTS[0]

# Postgres majors that RDS and Airflow 3 both support; only the major is pinned, RDS applies minor versions.
# https://airflow.apache.org/docs/apache-airflow/stable/installation/prerequisites.html
SUPPORTED_POSTGRES_MAJORS: Final = (14, 15, 16, 17)
POSTGRES_MAJOR: Final = 15

# Kubernetes minor of the cluster that the cluster project makes.
KUBERNETES: Final = "1.34"

# The oldest Kubernetes minor that the chart takes (README of the chart, "Prerequisites"), and the newest that
# Airflow's release was tested with (https://github.com/apache/airflow/blob/3.2.2/README.md#requirements).
OLDEST_KUBERNETES: Final = "1.30"
NEWEST_TESTED_KUBERNETES: Final = "1.35"
