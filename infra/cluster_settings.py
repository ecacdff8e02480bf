"""Every parameter of the cluster project: the VPC and the EKS cluster that environments share."""

from __future__ import annotations

import ipaddress
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from infra import versions
from infra.settings_model import RESERVED_TAGS, Model, Region, TagText, inconsistent


class Nat(StrEnum):
    """How private subnets reach the internet."""

    SINGLE = "single"
    PER_ZONE = "perZone"


def _network(text: str) -> str:
    try:
        ipaddress.IPv4Network(text)
    except ValueError as error:
        raise PydanticCustomError(
            "network", "allowed: an IPv4 network such as 10.0.0.0/16 ({reason})", {"reason": str(error)}
        ) from None
    return text


Network = Annotated[str, AfterValidator(_network)]


class ClusterProjectSettings(Model):
    """The cluster project, whole."""

    region: Region = Field(description="AWS region of the network and the cluster.")
    account_id: str = Field(
        pattern=r"^[0-9]{12}$", description="The AWS account; credentials of another account are refused."
    )
    owner: TagText = Field(min_length=1, description="Team or person to ask; tag `owner` of every resource.")
    tags: dict[TagText, TagText] = Field(
        default_factory=dict, max_length=40, description="More tags for every resource, e.g. a cost centre."
    )
    name: str = Field(
        pattern=r"^[a-z][a-z0-9-]{0,38}[a-z0-9]$",
        description="Name of the EKS cluster; prefix of other names.",
    )
    network: Network = Field(
        default="10.0.0.0/16", description="IPv4 network of the VPC, /16 to /20: six subnets are cut from it."
    )
    nat: Nat = Field(
        default=Nat.PER_ZONE,
        description="NAT gateways: perZone survives the loss of a zone, single costs a third.",
    )
    kubernetes_version: str = Field(
        default=versions.KUBERNETES,
        pattern=r"^1\.[0-9]{2}$",
        description="Kubernetes minor version. EKS goes up one minor at a time, and never down.",
    )
    deploy_from: tuple[Network, ...] = Field(
        default=(),
        description="Networks from which deployers reach the API server. Empty: from inside the VPC only.",
    )
    administrators: tuple[
        Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/[\w+=,.@/-]+$")], ...
    ] = Field(default=(), description="ARNs of roles or users that administer the cluster.")
    log_retention_days: int = Field(
        default=90, description="Days that CloudWatch keeps control plane and flow logs."
    )
    permissions_boundary: str = Field(
        default="",
        pattern=r"^(arn:aws[a-z-]*:iam::[0-9]{12}:policy/[\w+=,.@/-]+)?$",
        description="ARN of the policy that bounds every role made here. Empty: none.",
    )
    disposable: bool = Field(
        default=False, description="true leaves network, cluster and images unprotected against deletion."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        mistakes: list[tuple[str, object, str]] = [
            (f"tags.{key}", value, "the program sets this tag itself; use another key")
            for key, value in self.tags.items()
            if key.lower() in RESERVED_TAGS or key.lower().startswith("aws:")
        ]
        if not 16 <= ipaddress.IPv4Network(self.network).prefixlen <= 20:
            mistakes.append(("network", self.network, "allowed: /16 to /20"))
        if "0.0.0.0/0" in self.deploy_from:
            mistakes.append(
                ("deployFrom", "0.0.0.0/0", "the API server is not open to the world; name networks")
            )
        if mistakes:
            raise inconsistent(*mistakes)
        return self
