"""Access entries of a cluster and the access policies associated with them.

API: https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateAccessEntry.html
"""

import copy
import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from embedded.aws_api import ACCOUNT_ID, consistency
from embedded.aws_api.eks import errors
from embedded.aws_api.principals import principal_exists

POLICY_PREFIX = "arn:aws:eks::aws:cluster-access-policy/"
CLUSTER_ADMIN_POLICY = f"{POLICY_PREFIX}AmazonEKSClusterAdminPolicy"

# Policy -> the group that stands for it in the embedded cluster. `system:masters` needs no binding; the
# others are bound to Kubernetes' own ClusterRoles by the manifests of `policy_bindings`.
POLICY_GROUPS = {
    CLUSTER_ADMIN_POLICY: "system:masters",
    f"{POLICY_PREFIX}AmazonEKSAdminPolicy": "embedded-eks:admin",
    f"{POLICY_PREFIX}AmazonEKSEditPolicy": "embedded-eks:edit",
    f"{POLICY_PREFIX}AmazonEKSViewPolicy": "embedded-eks:view",
}

# https://docs.aws.amazon.com/eks/latest/userguide/creating-access-entries.html
_RESERVED_GROUP = re.compile(r"^(system:|eks:|aws:|amazon:|iam:)")
_ENTRY_NOT_FOUND = (
    "The specified principalArn could not be found. You can view your available access entries with "
    "'list-access-entries'."
)


@dataclass
class AccessEntry:
    """A principal that may use the cluster."""

    cluster: str
    principal_arn: str
    groups: list[str]
    username: str
    type: str
    tags: dict[str, str]
    arn: str
    created_at: datetime
    modified_at: datetime
    policies: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Policy ARN -> the association as the API shows it."""

    def as_api(self) -> dict[str, Any]:
        """The API's accessEntry."""
        return {
            "clusterName": self.cluster,
            "principalArn": self.principal_arn,
            "kubernetesGroups": self.groups,
            "accessEntryArn": self.arn,
            "createdAt": self.created_at,
            "modifiedAt": self.modified_at,
            "tags": self.tags,
            "username": self.username,
            "type": self.type,
        }

    def kubernetes_groups(self) -> list[str]:
        """The groups a token of this principal carries."""
        return [*self.groups, *(POLICY_GROUPS[arn] for arn in self.policies)]

    def kubernetes_username(self, session_name: str) -> str:
        """The user name of a token, with the session's name put in as EKS does (`@` becomes `-`)."""
        raw = self.username.replace("{{SessionNameRaw}}", session_name)
        return raw.replace("{{SessionName}}", session_name.replace("@", "-"))


class AccessEntries:
    """All access entries of one cluster."""

    def __init__(self, cluster: str, region: str, authentication_mode: str) -> None:
        self._cluster = cluster
        self._region = region
        self.authentication_mode = authentication_mode
        self._entries: dict[str, AccessEntry] = {}

    def create(self, parameters: dict[str, Any]) -> AccessEntry:
        """CreateAccessEntry."""
        self._check_mode()
        arn = parameters["principalArn"]
        if arn in self._entries:
            message = "The specified access entry resource is already in use on this cluster."
            errors.in_use(message, self._cluster)
        if not principal_exists(arn):
            errors.invalid_parameter(
                "The specified principalArn is invalid: invalid principal.", self._cluster
            )
        kind = parameters.get("type") or "STANDARD"
        groups = list(parameters.get("kubernetesGroups") or [])
        self._check_groups(groups)
        self._remember(arn)
        return self.add(arn, groups, parameters.get("username"), kind, parameters.get("tags"))

    def add(
        self, arn: str, groups: list[str], username: str | None, kind: str, tags: dict[str, str] | None
    ) -> AccessEntry:
        """Record an entry without the API's checks, as EKS does for the cluster's creator."""
        now = datetime.now(UTC)
        base = f"arn:aws:eks:{self._region}:{ACCOUNT_ID}:access-entry/{self._cluster}"
        principal_kind, _, name = arn.rpartition(":")[2].partition("/")
        entry = AccessEntry(
            cluster=self._cluster,
            principal_arn=arn,
            groups=groups,
            username=username or _default_username(arn),
            type=kind,
            tags=dict(tags or {}),
            arn=f"{base}/{principal_kind}/{ACCOUNT_ID}/{name.rpartition('/')[2]}/{uuid.uuid4()}",
            created_at=now,
            modified_at=now,
        )
        self._entries[arn] = entry
        return entry

    def add_creator(self, arn: str) -> None:
        """The creator's entry as an administrator, which is in effect as soon as the cluster is."""
        entry = self.add(arn, [], None, "STANDARD", None)
        if self.authentication_mode != "CONFIG_MAP":
            self.associate(entry.principal_arn, CLUSTER_ADMIN_POLICY, {"type": "cluster"})
        consistency.settle(("access", self._cluster, arn))

    def get(self, arn: str) -> AccessEntry:
        """DescribeAccessEntry."""
        self._check_mode()
        if arn not in self._entries:
            errors.not_found(_ENTRY_NOT_FOUND, self._cluster)
        return self._entries[arn]

    def effective(self, arn: str) -> AccessEntry | None:
        """The entry of a principal at this moment, if any, for the token webhook."""
        return consistency.effective(("access", self._cluster, arn), lambda: self._entries.get(arn))

    def _remember(self, arn: str) -> None:
        """Keep what the entry grants now until the change that follows has reached the control plane."""
        consistency.remember(("access", self._cluster, arn), copy.deepcopy(self._entries.get(arn)))

    def by_arn(self, arn: str) -> AccessEntry:
        """The entry with this ARN of its own, for the tagging operations."""
        found = next((entry for entry in self._entries.values() if entry.arn == arn), None)
        if found is None:
            errors.not_found(_ENTRY_NOT_FOUND, self._cluster)
        return found

    def list_arns(self, policy: str | None) -> list[str]:
        """ListAccessEntries."""
        self._check_mode()
        entries = self._entries.values()
        return [entry.principal_arn for entry in entries if policy is None or policy in entry.policies]

    def update(self, arn: str, parameters: dict[str, Any]) -> AccessEntry:
        """UpdateAccessEntry."""
        entry = self.get(arn)
        groups = parameters.get("kubernetesGroups")
        self._check_groups(groups or [])
        self._remember(arn)
        if groups is not None:
            entry.groups = list(groups)
        if parameters.get("username"):
            entry.username = parameters["username"]
        entry.modified_at = datetime.now(UTC)
        return entry

    def delete(self, arn: str) -> None:
        """DeleteAccessEntry."""
        self.get(arn)
        self._remember(arn)
        del self._entries[arn]

    def associate(self, arn: str, policy: str, scope: dict[str, Any]) -> dict[str, Any]:
        """AssociateAccessPolicy; the same call again changes the scope."""
        entry = self.get(arn)
        if policy not in POLICY_GROUPS:
            known = ", ".join(sorted(POLICY_GROUPS))
            errors.invalid_parameter(f"The policyArn {policy} is not emulated; known: {known}", self._cluster)
        if scope.get("type") != "cluster":
            message = "The embedded EKS emulates accessScope type cluster only; use kubernetesGroups instead."
            errors.invalid_parameter(message, self._cluster)
        self._remember(arn)
        now = datetime.now(UTC)
        associated_at = entry.policies.get(policy, {}).get("associatedAt", now)
        entry.policies[policy] = {
            "policyArn": policy,
            "accessScope": {"type": "cluster", "namespaces": []},
            "associatedAt": associated_at,
            "modifiedAt": now,
        }
        return entry.policies[policy]

    def disassociate(self, arn: str, policy: str) -> None:
        """DisassociateAccessPolicy."""
        self.get(arn)
        self._remember(arn)
        if self._entries[arn].policies.pop(policy, None) is None:
            errors.not_found(f"The access policy {policy} is not associated with {arn}.", self._cluster)

    def _check_mode(self) -> None:
        if self.authentication_mode == "CONFIG_MAP":
            message = (
                "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to "
                "perform this operation."
            )
            errors.invalid_request(message, self._cluster)

    def _check_groups(self, groups: list[str]) -> None:
        if reserved := [group for group in groups if _RESERVED_GROUP.match(group)]:
            message = f"The kubernetes group name {reserved[0]} is invalid, it cannot start with system:"
            errors.invalid_parameter(message, self._cluster)


def _default_username(arn: str) -> str:
    if ":role/" not in arn:
        return arn
    name = arn.rpartition("/")[2]
    return f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/{name}/{{{{SessionName}}}}"
