"""Pod Identity associations of a cluster: which role the pods of a service account get.

API: https://docs.aws.amazon.com/eks/latest/APIReference/API_CreatePodIdentityAssociation.html
"""

import secrets
import string
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from embedded.aws_api import ACCOUNT_ID, consistency
from embedded.aws_api.eks import errors
from embedded.aws_api.principals import find_role

_ID_ALPHABET = string.ascii_lowercase + string.digits


@dataclass
class Association:
    """One association."""

    cluster: str
    namespace: str
    service_account: str
    role_arn: str
    id: str
    arn: str
    tags: dict[str, str]
    created_at: datetime
    modified_at: datetime

    def as_api(self) -> dict[str, Any]:
        """The API's association."""
        return {
            "clusterName": self.cluster,
            "namespace": self.namespace,
            "serviceAccount": self.service_account,
            "roleArn": self.role_arn,
            "associationArn": self.arn,
            "associationId": self.id,
            "tags": self.tags,
            "createdAt": self.created_at,
            "modifiedAt": self.modified_at,
            "disableSessionTags": False,
        }


class Associations:
    """All associations of one cluster, at most one for a service account."""

    def __init__(self, cluster: str, region: str) -> None:
        self._cluster = cluster
        self._region = region
        self._by_id: dict[str, Association] = {}

    def create(self, parameters: dict[str, Any]) -> Association:
        """CreatePodIdentityAssociation."""
        namespace, service_account = parameters["namespace"], parameters["serviceAccount"]
        if existing := self.find(namespace, service_account):
            errors.in_use(f"Association already exists: {existing.id}", self._cluster)
        self._check(parameters)
        self._remember(namespace, service_account)
        identifier = "a-" + "".join(secrets.choice(_ID_ALPHABET) for _ in range(17))
        base = f"arn:aws:eks:{self._region}:{ACCOUNT_ID}:podidentityassociation/{self._cluster}"
        now = datetime.now(UTC)
        association = Association(
            cluster=self._cluster,
            namespace=namespace,
            service_account=service_account,
            role_arn=parameters["roleArn"],
            id=identifier,
            arn=f"{base}/{identifier}",
            tags=dict(parameters.get("tags") or {}),
            created_at=now,
            modified_at=now,
        )
        self._by_id[identifier] = association
        return association

    def get(self, identifier: str) -> Association:
        """DescribePodIdentityAssociation."""
        if identifier not in self._by_id:
            errors.not_found(f"Association not found: {identifier}", self._cluster)
        return self._by_id[identifier]

    def find(self, namespace: str, service_account: str) -> Association | None:
        """The association of a service account, if any."""
        found = self.matching(namespace, service_account)
        return found[0] if found else None

    def effective_role(self, namespace: str, service_account: str) -> str | None:
        """The role that pods of a service account get at this moment, if any."""
        return consistency.effective(
            ("association", self._cluster, namespace, service_account),
            lambda: found.role_arn if (found := self.find(namespace, service_account)) else None,
        )

    def _remember(self, namespace: str, service_account: str) -> None:
        """Keep what pods get now until the change that follows has reached the agents."""
        existing = self.find(namespace, service_account)
        key = ("association", self._cluster, namespace, service_account)
        consistency.remember(key, existing.role_arn if existing else None)

    def matching(self, namespace: str | None, service_account: str | None) -> list[Association]:
        """ListPodIdentityAssociations."""
        return [
            association
            for association in self._by_id.values()
            if namespace in (None, association.namespace)
            and service_account in (None, association.service_account)
        ]

    def update(self, identifier: str, parameters: dict[str, Any]) -> Association:
        """UpdatePodIdentityAssociation."""
        association = self.get(identifier)
        self._check({"roleArn": association.role_arn, **parameters})
        self._remember(association.namespace, association.service_account)
        association.role_arn = parameters.get("roleArn") or association.role_arn
        association.modified_at = datetime.now(UTC)
        return association

    def delete(self, identifier: str) -> Association:
        """DeletePodIdentityAssociation."""
        association = self.get(identifier)
        self._remember(association.namespace, association.service_account)
        del self._by_id[identifier]
        return association

    def _check(self, parameters: dict[str, Any]) -> None:
        if find_role(parameters["roleArn"]) is None:
            errors.invalid_parameter("Role provided in the request does not exist.", self._cluster)
        for name in ("targetRoleArn", "disableSessionTags", "policy"):
            if parameters.get(name):
                errors.invalid_parameter(f"The embedded EKS does not emulate {name}.", self._cluster)
