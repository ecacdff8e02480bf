"""EKS: roles that the service could not assume, and clusters that are protected or in use."""

from ipaddress import ip_network

from embedded.aws_api import ACCOUNT_ID
from embedded.aws_api.application import Refusal
from embedded.aws_api.operations import Operation
from embedded.aws_api.refusals.key_users import key_state
from embedded.aws_api.refusals.rules import Rules, rules
from embedded.aws_api.request_context import service_context
from embedded.aws_api.trust import role_names_service, service_may_assume

_PODS = "pods.eks.amazonaws.com"
_ZONES_WITHOUT_EKS = ("use1-az3", "usw1-az2", "cac1-az3")
_PRIVATE = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16")))


def _cluster_role(operation: Operation) -> None:
    """https://docs.aws.amazon.com/eks/latest/userguide/cluster-iam-role.html"""
    name, role = operation.text("name"), operation.text("roleArn")
    arn = f"arn:aws:eks:{operation.region}:{ACCOUNT_ID}:cluster/{name}"
    # Auto Mode tags its sessions: https://docs.aws.amazon.com/eks/latest/userguide/automode-get-started-cli.html
    auto = bool((operation.parameters.get("computeConfig") or {}).get("enabled"))
    actions = ["sts:AssumeRole", *(["sts:TagSession"] if auto else [])]
    context = service_context("eks.amazonaws.com", arn, {})
    if not service_may_assume(role, "eks.amazonaws.com", actions, context):
        message = (
            f"Role with arn: {role}, could not be assumed because it does not exist or the "
            "trusted entity is not "
            "correct"
        )
        raise Refusal("InvalidParameterException", message, 400)


def _zones(operation: Operation) -> None:
    """https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html"""
    from moto.ec2.models import ec2_backends

    wanted = (operation.parameters.get("resourcesVpcConfig") or {}).get("subnetIds") or []
    for subnet in ec2_backends[ACCOUNT_ID][operation.region].describe_subnets():
        if subnet.id in wanted and subnet.availability_zone_id in _ZONES_WITHOUT_EKS:
            message = (
                f"Cannot create cluster '{operation.text('name')}' because {subnet.availability_zone}, the "
                "targeted availability zone, does not currently have sufficient capacity to support the "
                "cluster."
            )
            raise Refusal("UnsupportedAvailabilityZoneException", message, 400)


def _public_networks(operation: Operation) -> None:
    """https://docs.aws.amazon.com/eks/latest/userguide/cluster-endpoint.html"""
    networks = (operation.parameters.get("resourcesVpcConfig") or {}).get("publicAccessCidrs") or []
    private = [text for text in networks if any(ip_network(text).overlaps(one) for one in _PRIVATE)]
    if refused := [text for text in private if text != "0.0.0.0/0"]:
        message = f"The following CIDRs are not allowed in publicAccessCidrs: {refused}"
        raise Refusal("InvalidParameterException", message, 400)


def _encryption(operation: Operation) -> None:
    """https://docs.aws.amazon.com/eks/latest/userguide/enable-kms.html"""
    for one in operation.parameters.get("encryptionConfig") or ():
        key = str((one.get("provider") or {}).get("keyArn") or "")
        if key and key_state(key, operation.region) != "Enabled":
            message = f"The keyArn in encryptionConfig provider is invalid: {key}"
            raise Refusal("InvalidParameterException", message, 400)


def _associated_role(operation: Operation) -> None:
    """https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html"""
    from embedded.aws_api.grants import effective_trust

    role = operation.text("roleArn")
    if not role:
        return
    if effective_trust(role) is None:
        message = "Role provided in the request does not exist."
        raise Refusal("InvalidParameterException", message, 400)
    if not role_names_service(role, _PODS, ("sts:AssumeRole", "sts:TagSession")):
        message = (
            "Trust policy of the role provided is invalid. Follow the official documentation to "
            "resolve the issue."
        )
        raise Refusal("InvalidParameterException", message, 400)


RULES: Rules = rules(
    "eks",
    {
        "CreateCluster": (_cluster_role, _encryption, _zones, _public_networks),
        "UpdateClusterConfig": _public_networks,
        "CreatePodIdentityAssociation UpdatePodIdentityAssociation": _associated_role,
    },
)
