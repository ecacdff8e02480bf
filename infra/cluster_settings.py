"""Every parameter of the cluster project: the VPC and the EKS cluster that environments share."""

from __future__ import annotations

import ipaddress
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from infra import versions
from infra.settings_airflow import IMAGE_PATTERN
from infra.settings_database import DatabaseSettings
from infra.settings_model import (
    ONCE,
    LogRetentionDays,
    Model,
    Network,
    Region,
    TagKey,
    TagText,
    inconsistent,
    tag_mistakes,
)

# Beginnings of tag keys that EKS's controllers give or refuse:
# https://docs.aws.amazon.com/eks/latest/userguide/create-node-class.html
EKS_KEYS: Final = ("eks:", "kubernetes.io/", "karpenter.sh/", "eks.amazonaws.com/")
# Addresses that no deployer has in the internet: private ones, those of carriers and links, multicast.
# https://www.iana.org/assignments/iana-ipv4-special-registry/
NOT_PUBLIC: Final = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "224.0.0.0/3",
    )
)


class Nat(StrEnum):
    """How private subnets reach the internet."""

    SINGLE = "single"
    PER_ZONE = "perZone"
    NONE = "none"


RoleArn = Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+$")]


AdministratorArn = Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/[\w+=,.@/-]+$")]
# Networks that a VPC may have without being in the way of public addresses:
# https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html
PRIVATE: Final = tuple(
    map(ipaddress.IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"))
)


class RunnerSettings(Model):
    """An instance in a private subnet, reached by Session Manager, from which deployers work.

    It opens no port, and its own role may do nothing but assume the named roles.
    """

    image_id: str = Field(
        pattern=r"^ami-[0-9a-f]{8,17}$",
        description="Amazon Machine Image of the runner, arm64 for the default type; named, so that a "
        "deployment never replaces it by surprise.",
    )
    instance_type: str = Field(
        default="t4g.medium",
        pattern=r"^[a-z][a-z0-9-]*\.[a-z0-9]+$",
        description="Type of the instance; a Pulumi program with its plugins needs 2 GiB or more.",
    )
    volume_gib: int = Field(default=30, ge=8, le=1000, description="Encrypted root volume, GiB.")
    role_arns: tuple[RoleArn, ...] = Field(
        min_length=1,
        description="Roles that a session on the runner may assume to deploy; they must trust it.",
    )


class DeployFromSettings(Model):
    """From where deployers reach the API server: networks on the public endpoint, or a runner inside."""

    networks: Annotated[tuple[Network, ...], ONCE] = Field(
        default=(),
        # https://docs.aws.amazon.com/eks/latest/userguide/service-quotas.html
        max_length=40,
        description="Networks that reach the public endpoint. Empty: it is off, and the VPC is the only way.",
    )
    runner: RunnerSettings | None = Field(
        default=None, description="A runner inside the VPC, made by this project. Absent: none."
    )


class HostInstanceSettings(DatabaseSettings):
    """An instance of tenants: as an environment's own, but small by default, since its data may be lost."""

    multi_az: bool = Field(default=False, description="A standby in a second zone, with automatic failover.")
    backup_retention_days: int = Field(
        default=1, ge=0, le=35, description="Days of automated backups (RDS: 0 to 35; 0 turns backups off)."
    )


class DatabaseHostSettings(Model):
    """An instance that takes tenants: databases of disposable environments, ready in seconds."""

    enabled: bool = Field(
        default=False, description="Make the instance; environments use it by database.tenancy shared."
    )
    instance: HostInstanceSettings = Field(
        default_factory=HostInstanceSettings,
        description="The instance; fields as an environment's database has them.",
    )
    image: str = Field(
        default=f"{versions.AIRFLOW_IMAGE_REPOSITORY}:{versions.AIRFLOW}",
        pattern=IMAGE_PATTERN,
        description="Airflow image of the Job that makes the role of tenants' administration.",
    )

    @model_validator(mode="after")
    def _own_instance(self) -> Self:
        mistakes: list[tuple[str, object, str]] = []
        if self.instance.shared:
            mistakes.append(("instance.tenancy", "shared", "allowed: dedicated; a host is no tenant"))
        if self.instance.restore.wanted:
            snapshot = self.instance.restore.snapshot
            mistakes.append(("instance.restore.snapshot", snapshot, "a host begins empty; remove restore"))
        if mistakes:
            raise inconsistent(*mistakes)
        return self


class ClusterProjectSettings(Model):
    """The cluster project, whole."""

    region: Region = Field(description="AWS region of the network and the cluster.")
    account_id: str = Field(
        pattern=r"^[0-9]{12}$", description="The AWS account; credentials of another account are refused."
    )
    owner: TagText = Field(min_length=1, description="Team or person to ask; tag `owner` of every resource.")
    tags: dict[TagKey, TagText] = Field(
        default_factory=dict, max_length=40, description="More tags for every resource, e.g. a cost centre."
    )
    # The longest name made of it is a role's, NAME-REGION-control-plane, of 64 characters at most; the
    # registry's takes no hyphen beside another one.
    name: str = Field(
        pattern=r"^[a-z](-?[a-z0-9])*$",
        min_length=2,
        max_length=35,
        description="Name of the EKS cluster; prefix of other names.",
    )
    network: Network = Field(
        default="10.0.0.0/16", description="IPv4 network of the VPC, /16 to /20: six subnets are cut from it."
    )
    nat: Nat = Field(
        default=Nat.PER_ZONE,
        description="NAT gateways: perZone outlives the loss of a zone, single costs a third, none needs "
        "imageMirror.",
    )
    image_mirror: str = Field(
        default="",
        pattern=r"^([0-9]{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(/[a-z0-9._-]+)*)?$",
        # Without a way out no other registry can be reached; AWS itself is, by interface endpoints.
        description="Registry that holds every image under its own name; goes with nat none. Empty: none.",
    )
    kubernetes_version: str = Field(
        default=versions.KUBERNETES,
        pattern=r"^1\.[0-9]{2}$",
        description="Kubernetes minor version. EKS goes up one minor at a time, and never down.",
    )
    deploy_from: DeployFromSettings = Field(
        default_factory=DeployFromSettings, description="From where deployers reach the API server."
    )
    network_policies: bool = Field(
        default=True,
        description="Nodes enforce NetworkPolicies; else those of environments are accepted and do nothing.",
    )
    administrators: Annotated[tuple[AdministratorArn, ...], ONCE] = Field(
        default=(),
        description="ARNs of roles or users that administer the cluster. Not the one that makes it: EKS lets "
        "it in by itself, and refuses it here.",
    )
    database_host: DatabaseHostSettings = Field(
        default_factory=DatabaseHostSettings,
        description="An instance that disposable environments share; off by default.",
    )
    log_retention_days: LogRetentionDays = Field(
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
        mistakes = tag_mistakes(self.tags)
        mistakes += [
            (f"tags.{key}", value, "allowed: keys without a =, and none of EKS's own, which it gives itself")
            for key, value in self.tags.items()
            # Nodes and volumes bear them too, and EKS would make none.
            if "=" in key or key.startswith(EKS_KEYS)
        ]
        network = ipaddress.IPv4Network(self.network)
        if not 16 <= network.prefixlen <= 20:
            mistakes.append(("network", self.network, "allowed: /16 to /20"))
        if not any(network.subnet_of(private) for private in PRIVATE):
            within = ", ".join(map(str, PRIVATE))
            mistakes.append(("network", self.network, f"allowed: a network within {within}"))
        if self.permissions_boundary and self.permissions_boundary.split(":")[4] != self.account_id:
            allowed = f"allowed: a policy of account {self.account_id}"
            mistakes.append(("permissionsBoundary", self.permissions_boundary, allowed))
        mistakes += self._endpoint_mistakes()
        mistakes += self._registry_mistakes()
        if mistakes:
            raise inconsistent(*mistakes)
        return self

    def _registry_mistakes(self) -> list[tuple[str, object, str]]:
        """Registries that nodes would not reach: without a way out there are the endpoints of one region.

        https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html
        """
        closed, mirror = self.nat is Nat.NONE, self.image_mirror
        if closed != bool(mirror):
            return [("imageMirror", mirror, "goes with nat none: there it is needed, elsewhere unused")]
        mistakes: list[tuple[str, object, str]] = []
        inside = f".dkr.ecr.{self.region}.amazonaws.com"
        if mirror and inside not in mirror:
            mistakes.append(("imageMirror", mirror, f"allowed: a registry of region {self.region}"))
        image = self.database_host.image
        if closed and self.database_host.enabled and inside not in image.partition("/")[0]:
            why = (
                f"nat none reaches no registry but ECR of region {self.region}; name an image there, such as "
            )
            mistakes.append(("databaseHost.image", image, f"{why}{mirror}/{image}"))
        return mistakes

    def _endpoint_mistakes(self) -> list[tuple[str, object, str]]:
        """What EKS refuses, and what nobody should ask for.

        https://docs.aws.amazon.com/eks/latest/userguide/cluster-endpoint.html: no reserved addresses.
        """
        networks = [ipaddress.IPv4Network(network) for network in self.deploy_from.networks]
        mistakes: list[tuple[str, object, str]] = [
            ("deployFrom.networks", str(network), "the API server is not for the world; name networks")
            for network in networks
            if network.prefixlen == 0
        ]
        return mistakes + [
            (
                "deployFrom.networks",
                str(network),
                "the public endpoint sees public addresses alone: name those that deployers come from",
            )
            for network in networks
            if network.prefixlen and any(network.overlaps(reserved) for reserved in NOT_PUBLIC)
        ]

    @property
    def protected(self) -> bool:
        """Whether deletion is refused."""
        return not self.disposable
