"""The network policies of the namespace that the chart's own leave out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import pulumi
import pulumi_kubernetes as kubernetes


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPoliciesArgs:
    """What NetworkPolicies needs."""

    namespace: pulumi.Input[str]
    specs: Mapping[str, Mapping[str, Any]]
    """Name -> spec; see infra/network_policies.py."""


class NetworkPolicies(pulumi.ComponentResource):
    """Who may talk to which pods of the namespace; without specs there is nothing in it."""

    TOKEN: Final = "airflowinfra:index:NetworkPolicies"  # noqa: S105 - a type token

    names: pulumi.Output[list[str]]
    """Names of the policies."""

    def __init__(
        self, name: str, args: NetworkPoliciesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        policies = [
            kubernetes.networking.v1.NetworkPolicy(
                f"{name}-{role}",
                metadata={"name": f"airflow-{role}", "namespace": args.namespace},
                spec=cast(kubernetes.networking.v1.NetworkPolicySpecArgs, dict(spec)),
                opts=pulumi.ResourceOptions(parent=self),
            )
            for role, spec in args.specs.items()
        ]
        self.names = pulumi.Output.all(*(policy.metadata["name"] for policy in policies)).apply(list)
        self.register_outputs({"names": self.names})
