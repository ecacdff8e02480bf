"""The IAM policies of who deploys: what an environment's stack needs, and what the cluster's. Pure functions.

They cover every setting of a stack at once: a disposable environment's deployer may also do what a persistent
one needs (final snapshots, alarms), so a change of parameters needs no other rights. Restoring is the one
exception, since it reads what other environments left behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

from infra import deployer_network_statements as ec2
from infra import deployer_statements as parts
from infra.components.deployment_runner import SESSION_MANAGER_POLICY
from infra.components.eks_cluster import (
    CLUSTER_POLICIES,
    NODE_POLICIES,
    control_plane_log_group,
)
from infra.components.metadata_database import MONITORING_POLICY
from infra.components.network import flow_log_group
from infra.deployer_statements import Scope, allow
from infra.naming import SERVICE_ACCOUNTS
from infra.policies import Document, Statement, document
from infra.trust_policies import MONITORING_SERVICE, POD_IDENTITY_SERVICE

DATABASE_ROLES: Final = {POD_IDENTITY_SERVICE: ("*",), MONITORING_SERVICE: ("database-monitoring",)}
CLUSTER_ROLES: Final = {
    "eks.amazonaws.com": ("control-plane",),
    "ec2.amazonaws.com": ("node", "runner"),
    "vpc-flow-logs.amazonaws.com": ("flow-log",),
}
RDS_SERVICE_ROLE: Final = {"rds.amazonaws.com": "AWSServiceRoleForRDS"}
EKS_SERVICE_ROLE: Final = {"eks.amazonaws.com": "AWSServiceRoleForAmazonEKS"}


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Where the engine keeps its state, and what encrypts the secrets in it."""

    bucket: str
    """Name of the S3 bucket, with the prefix of its keys if there is one: BUCKET/PREFIX."""
    key: str | None = None
    """KMS key: alias/NAME, an id, or an ARN; None: something else than KMS encrypts the secrets."""


def state_of(backend: str, secrets_provider: str | None) -> State | None:
    """Return where the state is, by PULUMI_BACKEND_URL and a stack file's `secretsprovider`.

    None for a backend that is no S3 bucket: IAM has no part in it.
    """
    place = urlsplit(backend)
    if place.scheme != "s3":
        return None
    key = None
    if secrets_provider and secrets_provider.startswith("awskms://"):
        key = secrets_provider.removeprefix("awskms://").lstrip("/").partition("?")[0]
    return State(bucket=f"{place.netloc}{place.path}".rstrip("/"), key=key)


def environment_policies(
    scope: Scope, *, cluster: str, state: State | None, restores: bool = False
) -> dict[str, Document]:
    """Return the policies of who deploys an environment, by what they are about.

    Args:
        scope: names and tag of the environment.
        cluster: name of its EKS cluster; `*` where it is not known.
        state: where the state is; None: nowhere that IAM decides.
        restores: it begins with what another environment left behind.
    """
    names = scope.names
    groups = [names.database_log_group("*")]
    through = ("secretsmanager", "s3", "rds")
    found = {
        "data": [
            *parts.bucket(scope),
            *parts.secrets(scope),
            *parts.keys(scope, [names.key_alias], through),
            *_state(scope, state),
        ],
        "database": [*parts.database(scope), *parts.log_groups(scope, groups), *parts.alarms(scope)],
        "access": [
            *parts.roles(scope, [MONITORING_POLICY]),
            *parts.pass_roles(scope, DATABASE_ROLES),
            *parts.service_roles(scope, RDS_SERVICE_ROLE),
            *_associations(scope, cluster),
            *ec2.security_groups(scope),
        ],
        "restore": parts.restore(scope) if restores else [],
    }
    return {name: document(statements) for name, statements in found.items() if statements}


def cluster_policies(scope: Scope, *, host: Scope, state: State | None) -> dict[str, Document]:
    """Return the policies of who deploys the cluster project, by what they are about.

    Args:
        scope: the cluster's name in place of an environment's, and the tag.
        host: names of the instance that environments may share, and the same tag.
        state: where the state is; None: nowhere that IAM decides.
    """
    name = scope.names.environment
    groups = [flow_log_group(name), control_plane_log_group(name), host.names.database_log_group("*")]
    through = ("secretsmanager", "rds", "ecr", "ec2", "eks")
    managed = [*CLUSTER_POLICIES, *NODE_POLICIES, SESSION_MANAGER_POLICY]
    administration = SERVICE_ACCOUNTS.database_administration.removeprefix("airflow-")
    host_roles = {POD_IDENTITY_SERVICE: (administration,), MONITORING_SERVICE: ("database-monitoring",)}
    found = {
        "network": ec2.network(scope),
        "platform": [
            *_cluster(scope),
            *_registry(scope),
            *parts.keys(scope, [scope.names.key_alias], through),
            *parts.log_groups(scope, groups),
            *_state(scope, state),
        ],
        "roles": [
            *parts.roles(scope, managed),
            *parts.pass_roles(scope, CLUSTER_ROLES),
            *parts.service_roles(scope, {**EKS_SERVICE_ROLE, **RDS_SERVICE_ROLE}),
            _profile(scope),
        ],
        "host": [
            *parts.database(host),
            *parts.secrets(host),
            *_named("Host", parts.roles(host, [MONITORING_POLICY])),
            *parts.pass_roles(host, host_roles),
        ],
    }
    return {name: document(statements) for name, statements in found.items()}


def like(scope: Scope, *, environment: str, deployment_id: str) -> Scope:
    """Return the scope of all environments whose short name and deployment id begin like these."""
    return replace(scope, names=replace(scope.names, environment=environment), deployment_id=deployment_id)


def _named(prefix: str, statements: Sequence[Statement]) -> list[Statement]:
    return [{**one, "Sid": f"{prefix}{one['Sid']}"} for one in statements]


def _state(scope: Scope, state: State | None) -> list[Statement]:
    """The engine's own bucket and key; `airflow-env doctor` writes and removes a byte beside the state."""
    if state is None:
        return []
    name, _, prefix = state.bucket.partition("/")
    bucket = f"arn:{scope.partition}:s3:::{name}"
    objects = f"{bucket}/{prefix}/.pulumi/*" if prefix else f"{bucket}/.pulumi/*"
    found = [
        allow("ListState", "s3", "ListBucket", bucket),
        allow("State", "s3", "GetObject PutObject DeleteObject", objects),
    ]
    return [*found, _state_key(scope, state.key)] if state.key else found


def _state_key(scope: Scope, key: str) -> Statement:
    # The bucket's region may be another one.
    anywhere = scope.arn("kms", "key/*", region="*")
    if key.startswith("alias/"):
        named = {"StringEquals": {"kms:RequestAlias": key}}
        return allow("StateKey", "kms", "Encrypt Decrypt", anywhere, named)
    arn = key if key.startswith("arn:") else scope.arn("kms", f"key/{key}", region="*")
    return allow("StateKey", "kms", "Encrypt Decrypt", arn)


def _associations(scope: Scope, cluster: str) -> list[Statement]:
    """Bind roles to service accounts of the cluster; `aws eks get-token` needs no right in IAM."""
    there = "DescribeCluster CreatePodIdentityAssociation ListPodIdentityAssociations DescribeAddon"
    own = (
        "DescribePodIdentityAssociation UpdatePodIdentityAssociation DeletePodIdentityAssociation "
        "UntagResource"
    )
    arn = scope.arn("eks", f"podidentityassociation/{cluster}/*")
    return [
        allow(
            "Cluster", "eks", there, [scope.arn("eks", f"{kind}/{cluster}{end}") for kind, end in _CLUSTER]
        ),
        allow("OwnAssociations", "eks", own, arn, scope.own),
        allow("TagAssociations", "eks", "TagResource", arn, scope.adopted),
    ]


_CLUSTER: Final = (("cluster", ""), ("addon", "/*"))


def _cluster(scope: Scope) -> list[Statement]:
    name = scope.names.environment
    kinds = ("cluster/{}", "access-entry/{}/*", "addon/{}/*", "podidentityassociation/{}/*")
    arns = [scope.arn("eks", kind.format(name)) for kind in kinds]
    actions = (
        "DescribeCluster DeleteCluster UpdateClusterConfig UpdateClusterVersion DescribeUpdate "
        "AssociateEncryptionConfig TagResource UntagResource CreateAccessEntry DescribeAccessEntry "
        "UpdateAccessEntry DeleteAccessEntry AssociateAccessPolicy DisassociateAccessPolicy "
        "ListAssociatedAccessPolicies CreatePodIdentityAssociation ListPodIdentityAssociations "
        "DescribePodIdentityAssociation UpdatePodIdentityAssociation DeletePodIdentityAssociation"
    )
    return [
        allow("MakeCluster", "eks", "CreateCluster", "*", scope.made),
        allow("Cluster", "eks", actions, arns),
    ]


def _registry(scope: Scope) -> list[Statement]:
    """The repository; with `disposable` its images go with it."""
    actions = (
        "CreateRepository DeleteRepository DescribeRepositories PutImageTagMutability "
        "PutImageScanningConfiguration TagResource UntagResource ListTagsForResource"
    )
    return [
        allow("Registry", "ecr", actions, scope.arn("ecr", f"repository/{scope.names.environment}/airflow"))
    ]


def _profile(scope: Scope) -> Statement:
    actions = (
        "CreateInstanceProfile DeleteInstanceProfile GetInstanceProfile AddRoleToInstanceProfile "
        "RemoveRoleFromInstanceProfile TagInstanceProfile UntagInstanceProfile"
    )
    profile = scope.arn("iam", f"instance-profile/{scope.names.role('runner')}", region="")
    return allow("RunnerProfile", "iam", actions, profile)
