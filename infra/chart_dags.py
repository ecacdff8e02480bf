"""The part of the chart's values that says where DAG files come from, and the canary DAG beside them.

Pure. A source is a list of Airflow's DAG bundles, with the sidecar of the chart where git-sync is wanted.
"""

from __future__ import annotations

import copy
from typing import Final

import pulumi

from infra.chart_values_rules import Values, merge
from infra.settings import DagSource, DagsSettings
from infra.settings_known_hosts import entries_of

# The canary is a bundle of its own, so it is there whatever the other DAGs come from.
CANARY_BUNDLE: Final = "canary"
CANARY_DIRECTORY: Final = "/opt/airflow/canary"
CANARY_KEY: Final = "canary.py"

LOCAL_BUNDLE: Final = "airflow.dag_processing.bundles.local.LocalDagBundle"
GIT_BUNDLE: Final = "airflow.providers.git.bundles.git.GitDagBundle"

# What boto3 reads. Pod Identity promises credentials alone, and pods of Auto Mode can't ask EC2's metadata:
# https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html
REGION_VARIABLE: Final = "AWS_DEFAULT_REGION"


def task_pod_environment(region: str) -> list[Values]:
    """Variables of every task pod."""
    return [
        {"name": "AIRFLOW_HOME", "value": "/opt/airflow"},
        # The image's entry point waits for a database, and task pods have none.
        {"name": "CONNECTION_CHECK_MAX_COUNT", "value": "0"},
        {"name": REGION_VARIABLE, "value": region},
    ]


def dag_values(dags: DagsSettings, *, canary: bool, region: str) -> Values:
    """Where DAG files come from, as Airflow's list of bundles."""
    bundles: list[Values] = [{"name": "dags-folder", "classpath": LOCAL_BUNDLE, "kwargs": {}}]
    values: Values = {"dags": {"gitSync": {"enabled": dags.source is DagSource.GIT_SYNC}}}
    if dags.source is DagSource.GIT_SYNC:
        values["dags"]["gitSync"] |= _git_sync(dags)
    elif dags.source is DagSource.GIT_BUNDLE:
        bundles = [{"name": "dags", "classpath": GIT_BUNDLE, "kwargs": _git_bundle(dags)}]
        if dags.credentials_secret is not None:
            values = merge(values, _git_connection(dags.credentials_secret, region))
    if canary:
        bundles.append(
            {"name": CANARY_BUNDLE, "classpath": LOCAL_BUNDLE, "kwargs": {"path": CANARY_DIRECTORY}}
        )
    return merge(values, {"dagProcessor": {"dagBundleConfigList": bundles}})


def _git_sync(dags: DagsSettings) -> Values:
    """Values of the sidecar; the Secret has `gitSshKey` for ssh, else the four keys of user and password.

    Without `knownHosts` the chart turns the check of the server's key off.
    """
    over_https = str(dags.repository).startswith("https://")
    values: Values = {
        "repo": dags.repository,
        "ref": dags.reference,
        "branch": dags.reference,  # the chart still passes the old variable too
        "subPath": dags.subdirectory,
    }
    if dags.credentials_secret is not None:
        values["credentialsSecret" if over_https else "sshKeySecret"] = dags.credentials_secret
    if dags.known_hosts is not None:
        # Without what YAML would read otherwise than it stands: space before the first line.
        values["knownHosts"] = "\n".join(entries_of(dags.known_hosts))
    return values


def _git_bundle(dags: DagsSettings) -> Values:
    """The bundle's arguments, as text of airflow.cfg: the chart writes them there as they are."""
    texts = {
        "tracking_ref": str(dags.reference),
        "subdir": dags.subdirectory,
        "repo_url": str(dags.repository),
    }
    # Airflow's parser interpolates; with a single % the option could not be read, and no DAG would be there.
    kwargs: Values = {key: text.replace("%", "%%") for key, text in texts.items()}
    return kwargs | ({"git_conn_id": "dags_repository"} if dags.credentials_secret else {})


def _git_connection(secret: str, region: str) -> Values:
    """The Connection to the repository, under `connection` of the Secret; task pods clone too."""
    source = {"secretKeyRef": {"name": secret, "key": "connection"}}
    variable = {"name": "AIRFLOW_CONN_DAGS_REPOSITORY", "valueFrom": source}
    return {
        "dagProcessor": {"env": [variable]},
        "triggerer": {"env": [variable]},
        "workers": {"kubernetes": {"env": [*task_pod_environment(region), variable]}},
    }


def canary_mounts(config_map: pulumi.Input[str]) -> Values:
    """The canary DAG in the pods that read DAG files.

    One file, not the volume's directory: that holds the file three times, behind links, as three DAGs.
    """
    mounts = {
        "extraVolumes": [{"name": "canary", "configMap": {"name": config_map}}],
        "extraVolumeMounts": [
            {
                "name": "canary",
                "mountPath": f"{CANARY_DIRECTORY}/{CANARY_KEY}",
                "subPath": CANARY_KEY,
                "readOnly": True,
            }
        ],
    }
    return {"dagProcessor": mounts, "workers": {"kubernetes": copy.deepcopy(mounts)}}
