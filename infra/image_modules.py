"""Which Python modules an environment's configuration imports, besides Airflow itself. Pure.

The official image lacks some of them: it has the extras that its Dockerfile lists, and s3fs is none of these.
https://airflow.apache.org/docs/docker-stack/build-arg-ref.html, AIRFLOW_EXTRAS
"""

from __future__ import annotations

from typing import Final

from infra.settings import DagSource, EnvironmentSettings

# By what needs them: remote logs and the secrets backend, users, task pods, the metadata database's two
# drivers, the XCom backend, and the file system that it opens s3:// by.
ALWAYS: Final = (
    "airflow.providers.amazon.aws.secrets.secrets_manager",
    "airflow.providers.fab.auth_manager",
    "airflow.providers.cncf.kubernetes.executors",
    "psycopg2",
    "asyncpg",
    "airflow.providers.common.io.xcom.backend",
    "s3fs",
)
STATSD: Final = "statsd"
GIT: Final = "airflow.providers.git.bundles.git"
OIDC: Final = "authlib"


def required_modules(settings: EnvironmentSettings) -> list[str]:
    """Return the modules that the image of these settings must have."""
    wanted = {
        STATSD: settings.statsd.enabled,
        GIT: settings.dags.source is DagSource.GIT_BUNDLE,
        OIDC: settings.access.oidc is not None,
    }
    return [*ALWAYS, *(module for module, needed in wanted.items() if needed)]
