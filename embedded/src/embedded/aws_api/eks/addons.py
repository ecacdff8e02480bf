"""Add-ons of a cluster. The embedded node brings what they would install, so they are records only."""

import uuid
from datetime import UTC, datetime
from typing import Any

from embedded.aws_api import ACCOUNT_ID
from embedded.aws_api.eks import errors
from embedded.faults import durations

# Moments of `durations`, beside what the API shows.
_ACTIVE_AT, _GONE_AT = "activeAt", "goneAt"

# Name -> the version that answers for it.
KNOWN_ADDONS = {
    "vpc-cni": "v1.20.4-eksbuild.1",
    "coredns": "v1.12.4-eksbuild.1",
    "kube-proxy": "v1.34.0-eksbuild.4",
    "eks-pod-identity-agent": "v1.3.9-eksbuild.3",
    "aws-ebs-csi-driver": "v1.51.0-eksbuild.1",
    "metrics-server": "v0.8.0-eksbuild.2",
    "snapshot-controller": "v8.3.0-eksbuild.1",
    "amazon-cloudwatch-observability": "v4.5.0-eksbuild.1",
}


class Addons:
    """All add-ons of one cluster."""

    def __init__(self, cluster: str, region: str) -> None:
        self._cluster = cluster
        self._region = region
        self._by_name: dict[str, dict[str, Any]] = {}

    def create(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """CreateAddon."""
        name = parameters["addonName"]
        self._settle()
        if name in self._by_name:
            errors.in_use("Addon already exists.", self._cluster)
        if name not in KNOWN_ADDONS:
            known = ", ".join(sorted(KNOWN_ADDONS))
            errors.invalid_parameter(f"Addon {name} is not emulated; known: {known}", self._cluster)
        now = datetime.now(UTC)
        base = f"arn:aws:eks:{self._region}:{ACCOUNT_ID}:addon/{self._cluster}/{name}"
        self._by_name[name] = {
            "addonName": name,
            "clusterName": self._cluster,
            "status": "CREATING",
            _ACTIVE_AT: durations.done_at("eks", "CreateAddon"),
            "addonVersion": parameters.get("addonVersion") or KNOWN_ADDONS[name],
            "health": {"issues": []},
            "addonArn": f"{base}/{uuid.uuid4()}",
            "createdAt": now,
            "modifiedAt": now,
            "serviceAccountRoleArn": parameters.get("serviceAccountRoleArn"),
            "configurationValues": parameters.get("configurationValues"),
            "tags": dict(parameters.get("tags") or {}),
        }
        return self.get(name)

    def _settle(self) -> None:
        """Bring every add-on to the status that it has by now."""
        for name, addon in list(self._by_name.items()):
            if _GONE_AT in addon:
                addon["status"] = "DELETING"
                if durations.is_over(addon[_GONE_AT]):
                    del self._by_name[name]
            elif durations.is_over(addon.get(_ACTIVE_AT)):
                addon["status"] = "ACTIVE"

    def get(self, name: str) -> dict[str, Any]:
        """DescribeAddon."""
        self._settle()
        if name not in self._by_name:
            errors.not_found(f"No addon: {name} found in cluster: {self._cluster}", self._cluster)
        return self._by_name[name]

    def update(self, name: str, parameters: dict[str, Any]) -> None:
        """UpdateAddon."""
        addon = self.get(name)
        for key in ("addonVersion", "serviceAccountRoleArn", "configurationValues"):
            if parameters.get(key) is not None:
                addon[key] = parameters[key]
        addon["modifiedAt"] = datetime.now(UTC)

    def delete(self, name: str) -> dict[str, Any]:
        """DeleteAddon."""
        addon = self.get(name)
        addon[_GONE_AT] = durations.done_at("eks", "DeleteAddon")
        self._settle()
        return {**addon, "status": "DELETING"}

    def names(self) -> list[str]:
        """ListAddons."""
        self._settle()
        return sorted(self._by_name)
