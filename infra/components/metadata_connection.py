"""The metadata database's URLs, as a Kubernetes Secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_kubernetes as kubernetes

from infra import naming


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataConnectionArgs:
    """What a MetadataConnection needs."""

    namespace: pulumi.Input[str]
    urls: pulumi.Input[Mapping[str, str]]
    """URL by key of the Secret; a secret."""


class MetadataConnection(pulumi.ComponentResource):
    """The Secret by which Airflow's pods find the database and log in.

    It comes after the role that it names: a pod that starts anew in the midst of a rotation, or after one
    that failed, still finds a login that the database takes.
    """

    TOKEN: Final = "airflowinfra:index:MetadataConnection"  # noqa: S105 - a type token

    def __init__(
        self, name: str, args: MetadataConnectionArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        kubernetes.core.v1.Secret(
            f"{name}-secret",
            metadata={"name": naming.METADATA_SECRET, "namespace": args.namespace},
            type="Opaque",
            string_data=args.urls,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
