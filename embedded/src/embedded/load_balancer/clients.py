"""Connections to the AWS API, and the EKS cluster that the node stands behind."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
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


@cache
def _session() -> Any:
    """One for all clients: a service's model is large, and read once a session."""
    import boto3

    return boto3.Session()


@cache
def _client(identity: CloudIdentity, credentials: DeployerCredentials, region: str, service: str) -> Any:
    from botocore.config import Config

    return _session().client(
        service,
        region_name=region,
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        endpoint_url=identity.aws_endpoint_url,
        verify=str(identity.certificate_authority),
        config=Config(retries={"mode": "standard", "max_attempts": 5}),
    )


@dataclass(frozen=True)
class Clients:
    """boto3 clients of one identity in one region, each made when first needed."""

    identity: CloudIdentity
    credentials: DeployerCredentials
    region: str

    def client(self, service: str) -> Any:
        """The client of a service."""
        return _client(self.identity, self.credentials, self.region, service)

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
    others = _session().get_available_regions(_SERVICE)
    return [DEFAULT_REGION, *(one for one in others if one != DEFAULT_REGION)]
