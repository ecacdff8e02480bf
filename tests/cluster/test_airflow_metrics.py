"""Airflow's metrics arrive where Prometheus reads them.

The file's name puts it before the tests that end the environment.
"""

from __future__ import annotations

import re

import pytest
from witness import Environment

pytestmark = pytest.mark.cluster


def test_airflows_metrics_reach_the_exporter(environment: Environment) -> None:
    """The scheduler's heartbeats, in the form that Prometheus reads."""
    read = "from urllib.request import urlopen; print(urlopen('http://airflow-statsd:9102/metrics').read().decode())"
    pod = ("exec", "deployment/airflow-scheduler", "--container", "scheduler")
    metrics = environment.kubectl(*pod, "--", "python", "-c", read)
    beats = re.findall(r"^airflow_\S*scheduler\S*heartbeat\S* (\d\S*)$", metrics, re.MULTILINE)
    assert any(float(count) > 0 for count in beats), metrics[-3000:]
