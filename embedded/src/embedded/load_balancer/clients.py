"""Connections to the AWS API, and the EKS cluster that the node stands behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from embedded.aws_api import DEFAULT_REGION
from embedded.aws_api.deployer import DeployerCredentials, deployer_credentials
from embedded.identity import CloudIdentity

_SERVICE: Final = "eks"


@dataclass(frozen=True)
class EksCluster:
    """What load balancers depend on of their cluster."""

    name: str
    region: str
    vpc_id: str
    security_group_id: str


@dataclass(frozen=True)
class Clients:
    """boto3 clients of one identity in one region, each made when first needed."""

    identity: CloudIdentity
    credentials: DeployerCredentials
    region: str
    _made: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """The client of a service."""
        if service not in self._made:
            import boto3
            from botocore.config import Config

            session: Any = boto3.Session(
                aws_access_key_id=self.credentials.access_key_id,
                aws_secret_access_key=self.credentials.secret_access_key,
                region_name=self.region,
            )
            self._made[service] = session.client(
                service,
                endpoint_url=self.identity.aws_endpoint_url,
                verify=str(self.identity.certificate_authority),
                config=Config(retries={"mode": "standard", "max_attempts": 5}),
            )
        return self._made[service]

    def every(self, service: str, operation: str, key: str, **parameters: Any) -> list[Any]:
        """All items of a list that comes in pages."""
        pages = self.client(service).get_paginator(operation).paginate(**parameters)
        return [item for page in pages for item in page[key]]


def find_cluster(identity: CloudIdentity) -> EksCluster | None:
    """The account's cluster; None while there is none, which is a node without EKS's controllers.

    Raises:
        EmbeddedError: the AWS part of this cloud has never been started.
        BotoCoreError, ClientError: it does not answer.
    """
    for region in _regions():
        clients = Clients(identity, deployer_credentials(identity), region)
        for name in clients.every(_SERVICE, "list_clusters", "clusters"):
            network = clients.client(_SERVICE).describe_cluster(name=name)["cluster"]["resourcesVpcConfig"]
            return EksCluster(name, region, network["vpcId"], network["clusterSecurityGroupId"])
    return None


def _regions() -> list[str]:
    """The one that stack files name comes first."""
    import boto3

    others = boto3.Session().get_available_regions(_SERVICE)
    return [DEFAULT_REGION, *(one for one in others if one != DEFAULT_REGION)]
