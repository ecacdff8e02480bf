"""moto's EKS backend with clusters that are the embedded node."""

import base64
import hashlib
import secrets
from datetime import datetime
from typing import Any, cast

from moto.ec2.models import ec2_backends
from moto.eks.models import Cluster, EKSBackend

from embedded.aws_api import ACCOUNT_ID
from embedded.aws_api.eks import errors, trailing_logs
from embedded.aws_api.eks.access import AccessEntries
from embedded.aws_api.eks.addons import Addons
from embedded.aws_api.eks.pod_identity_associations import Associations
from embedded.aws_api.principals import Principal
from embedded.faults import durations
from embedded.identity import CloudIdentity

KUBERNETES_VERSION = "1.34"
"""What the embedded node runs, and what a cluster gets when the request names no version."""

_SUPPORTED_VERSIONS = ("1.32", "1.33", "1.34", "1.35")
_STORED_AS_GIVEN = (
    "computeConfig",
    "storageConfig",
    "upgradePolicy",
    "zonalShiftConfig",
    "deletionProtection",
)


class EmbeddedCluster:
    """What a cluster has beyond moto's: access, associations, add-ons, and options kept as given."""

    active_at: datetime | None = None
    """When its creation is done at the pace that is played; None: at once."""
    gone_at: datetime | None = None
    """When its deletion is done; None: nobody deletes it."""

    def __init__(self, cluster: Cluster, region: str, parameters: dict[str, Any], creator: Principal | None):
        access = {"authenticationMode": "CONFIG_MAP", **(parameters.get("accessConfig") or {})}
        access.setdefault("bootstrapClusterCreatorAdminPermissions", True)
        self.access_config = access
        self.options = {key: parameters[key] for key in _STORED_AS_GIVEN if parameters.get(key) is not None}
        self.access_entries = AccessEntries(cluster.name, region, access["authenticationMode"])
        self.associations = Associations(cluster.name, region)
        self.addons = Addons(cluster.name, region)
        self.active_at = durations.done_at("eks", "CreateCluster")
        self.creator_arn: str | None = None
        if creator and access["bootstrapClusterCreatorAdminPermissions"]:
            self.creator_arn = creator.policy_arn
            self.access_entries.add_creator(creator.policy_arn)

    @property
    def status(self) -> str:
        """CREATING, ACTIVE or DELETING."""
        if self.gone_at is not None:
            return "DELETING"
        return "ACTIVE" if durations.is_over(self.active_at) else "CREATING"


def all_backends() -> "list[EmbeddedEksBackend]":
    """EKS of every region that has been used."""
    from moto.eks.models import eks_backends

    return [cast(EmbeddedEksBackend, backend) for backend in list(eks_backends[ACCOUNT_ID].values())]


class EmbeddedEksBackend(EKSBackend):
    """EKS of one region. `identity` is set once at start, before any request."""

    identity: CloudIdentity

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.extras: dict[str, EmbeddedCluster] = {}
        # Log groups that come back once after their deletion.
        self.trailing: set[str] = set()

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Accounts that were saved before this was there.
        self.__dict__.update({"trailing": set(), **state})

    @property
    def _url_module(self) -> Any:
        import moto.eks.urls

        return moto.eks.urls

    def create_embedded_cluster(self, parameters: dict[str, Any], creator: Principal | None) -> Cluster:
        """CreateCluster: the embedded node stands behind every cluster, but behind one at a time."""
        name, version = parameters["name"], parameters.get("version") or KUBERNETES_VERSION
        self.trailing.discard(trailing_logs.group_of(name))
        self._check_node_is_free(name)
        if version not in _SUPPORTED_VERSIONS:
            errors.invalid_parameter(f"unsupported Kubernetes version {version}", name)
        network = parameters["resourcesVpcConfig"]
        vpc_id = self._check_subnets(name, network.get("subnetIds") or [])
        cluster = self.create_cluster(
            name=name,
            version=version,
            role_arn=parameters["roleArn"],
            resources_vpc_config={},
            kubernetes_network_config=self._kubernetes_network(parameters),
            logging=parameters.get("logging"),
            client_request_token=parameters.get("clientRequestToken"),
            tags=parameters.get("tags"),
            encryption_config=parameters.get("encryptionConfig"),
        )
        cluster.resources_vpc_config = self._network_config(cluster, network, vpc_id)
        cluster.platformVersion = "eks.9"
        cluster.endpoint = self.identity.kubernetes_endpoint
        authority = self.identity.certificate_authority.read_bytes()
        cluster.certificate_authority = {"data": base64.b64encode(authority).decode()}
        issuer = hashlib.sha256(cluster.arn.encode()).hexdigest()[:32].upper()
        url = f"https://oidc.eks.{self.region_name}.amazonaws.com/id/{issuer}"
        cluster.identity = {"oidc": {"issuer": url}}
        self.extras[name] = EmbeddedCluster(cluster, self.region_name, parameters, creator)
        return cluster

    def _check_node_is_free(self, name: str) -> None:
        """Two clusters on one node would share namespaces and cluster-wide objects, as no two on AWS do.

        An account that is served alone, on the loopback network, has no node that could be shared.
        """
        if self.identity.block.is_loopback:
            return
        for backend in all_backends():
            backend.settle()
            for other in backend.clusters:
                if other != name:
                    message = (
                        f"Cluster {name} cannot be created: the embedded cloud has one node, and cluster "
                        f"{other} in {backend.region_name} uses it. Deploy to {other}, or delete it first."
                    )
                    errors.invalid_request(message, name)

    def settle(self) -> None:
        """Let clusters go whose deletion is done."""
        for name, extra in list(self.extras.items()):
            if extra.gone_at is not None and durations.is_over(extra.gone_at):
                self._remove(name)

    def list_clusters(self, max_results: int, next_token: str | None) -> Any:
        """ListClusters."""
        self.settle()
        return super().list_clusters(max_results, next_token)

    def describe_cluster(self, name: str) -> Cluster:
        """DescribeCluster."""
        self.settle()
        return super().describe_cluster(name)

    def additions(self, cluster: str) -> EmbeddedCluster:
        """What a cluster has beyond moto's. Raises ResourceNotFoundException."""
        self.settle()
        if cluster not in self.extras:
            errors.not_found(f"No cluster found for name: {cluster}.", cluster)
        return self.extras[cluster]

    def delete_cluster(self, name: str) -> Cluster:
        """DeleteCluster, and with it the security group EKS made."""
        extra = self.additions(name)
        if extra.options.get("deletionProtection"):
            errors.invalid_request("Cluster has deletion protection enabled.", name)
        cluster = self.clusters[name]
        if cluster.nodegroup_count:
            return super().delete_cluster(name)  # moto refuses it in AWS's words
        extra.gone_at = durations.done_at("eks", "DeleteCluster")
        self.settle()
        return cluster

    def _remove(self, name: str) -> None:
        cluster = super().delete_cluster(name)
        del self.extras[name]
        if trailing_logs.is_on(cluster.logging):
            self.trailing.add(trailing_logs.group_of(name))
        group = cluster.resources_vpc_config["clusterSecurityGroupId"]
        ec2_backends[self.account_id][self.region_name].delete_security_group(group_id=group)

    def _kubernetes_network(self, parameters: dict[str, Any]) -> dict[str, Any]:
        given = dict(parameters.get("kubernetesNetworkConfig") or {})
        return {"serviceIpv4Cidr": self.identity.service_cidr, "ipFamily": "ipv4", **given}

    def _check_subnets(self, name: str, subnet_ids: list[str]) -> str:
        ec2 = ec2_backends[self.account_id][self.region_name]
        subnets = [subnet for subnet in ec2.describe_subnets() if subnet.id in subnet_ids]
        if missing := set(subnet_ids) - {subnet.id for subnet in subnets}:
            message = f"The subnet ID '{sorted(missing)[0]}' does not exist"
            errors.invalid_parameter(message, name)
        if len({subnet.availability_zone for subnet in subnets}) < 2:
            message = "Subnets specified must be in at least two different AZs"
            errors.invalid_parameter(message, name)
        return str(subnets[0].vpc_id)

    def _network_config(self, cluster: Cluster, given: dict[str, Any], vpc_id: str) -> dict[str, Any]:
        ec2 = ec2_backends[self.account_id][self.region_name]
        group_name = f"eks-cluster-sg-{cluster.name}-{secrets.randbelow(10**9)}"
        group = ec2.create_security_group(
            group_name,
            "EKS created security group applied to ENI that is attached to EKS Control Plane master nodes, "
            "as well as any managed workloads.",
            vpc_id=vpc_id,
            tags={
                # By this one the managed policy of Auto Mode's load balancing knows the group.
                "Name": group_name,
                "aws:eks:cluster-name": cluster.name,
                f"kubernetes.io/cluster/{cluster.name}": "owned",
            },
        )
        return {
            "subnetIds": given.get("subnetIds") or [],
            "securityGroupIds": given.get("securityGroupIds") or [],
            "clusterSecurityGroupId": group.id,
            "vpcId": vpc_id,
            "endpointPublicAccess": given.get("endpointPublicAccess", True),
            "endpointPrivateAccess": given.get("endpointPrivateAccess", False),
            "publicAccessCidrs": given.get("publicAccessCidrs") or ["0.0.0.0/0"],
        }
