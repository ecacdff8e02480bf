"""References of the images that the embedded node serves, under their official names.

The reference says what the image stands for; `AIRFLOW_VERSION` is the one place where Airflow's version is
pinned for the embedded cloud, and `requirements.in` beside it must name the same one (checked by setup).
"""

from __future__ import annotations

from typing import Final

#: Release of Airflow inside the image; the index serves it since the end of May 2026.
AIRFLOW_VERSION: Final = "3.2.2"

#: What the chart pulls by default for `airflowVersion: 3.2.2` (chart keys defaultAirflowRepository/Tag);
#: containerd stores Docker Hub references with the registry spelled out.
AIRFLOW_REFERENCE: Final = f"docker.io/apache/airflow:{AIRFLOW_VERSION}"

#: Sandbox image of every pod; 3.10 is what Kubernetes 1.34 declares as its default.
PAUSE_REFERENCE: Final = "registry.k8s.io/pause:3.10"

#: Chart key images.statsd of chart 1.21.0.
STATSD_EXPORTER_VERSION: Final = "v0.29.0"
STATSD_EXPORTER_REFERENCE: Final = f"quay.io/prometheus/statsd-exporter:{STATSD_EXPORTER_VERSION}"

#: Chart keys images.pgbouncer and images.pgbouncerExporter of chart 1.21.0. The tag says the official image's
#: PgBouncer; the one inside is Debian's (see images/pgbouncer/build.py).
PGBOUNCER_REFERENCE: Final = "docker.io/apache/airflow:airflow-pgbouncer-2026.04.17-1.23.1"
PGBOUNCER_EXPORTER_REFERENCE: Final = "docker.io/apache/airflow:airflow-pgbouncer-exporter-2026.04.17-0.18.0"

#: Chart key images.gitSync of chart 1.21.0; the program is a stand-in (see images/git_sync).
GIT_SYNC_REFERENCE: Final = "registry.k8s.io/git-sync/git-sync:v4.4.2"
