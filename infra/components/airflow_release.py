"""The Helm release of Airflow's official chart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_kubernetes as kubernetes

from infra import naming
from infra.chart_dags import CANARY_KEY

# The same text on every machine: a path of this machine would be a difference in every preview elsewhere.
CHART: Final = ".charts/airflow"


@dataclass(frozen=True, slots=True, kw_only=True)
class AirflowReleaseArgs:
    """What an AirflowRelease needs."""

    namespace: pulumi.Input[str]
    chart_version: str
    values: Mapping[str, Any]
    canary: str | None
    """Source of the canary DAG, or None for none."""
    timeout_seconds: int


class AirflowRelease(pulumi.ComponentResource):
    """A release with a fixed name; the deployment waits until all of its pods are ready.

    It does not go back by itself: after a migration the old release would not start on the new database.
    """

    TOKEN: Final = "airflowinfra:index:AirflowRelease"  # noqa: S105 - a type token

    name: pulumi.Output[str]
    """Name of the release, once it is ready."""

    def __init__(
        self, name: str, args: AirflowReleaseArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        canary = []
        if args.canary is not None:
            config_map = kubernetes.core.v1.ConfigMap(
                f"{name}-canary",
                metadata={"name": naming.CANARY_CONFIG_MAP, "namespace": args.namespace},
                data={CANARY_KEY: args.canary},
                opts=pulumi.ResourceOptions(parent=self),
            )
            canary.append(config_map)
        release = kubernetes.helm.v3.Release(
            f"{name}-release",
            name=naming.RELEASE,
            namespace=args.namespace,
            chart=CHART,
            version=args.chart_version,
            values=args.values,
            timeout=args.timeout_seconds,
            skip_await=False,
            atomic=False,
            cleanup_on_fail=False,
            max_history=5,
            # Pods mount the canary by name.
            opts=pulumi.ResourceOptions(parent=self, depends_on=canary),
        )
        self.name = release.name.apply(lambda found: found or naming.RELEASE)
        self.register_outputs({"name": self.name})
