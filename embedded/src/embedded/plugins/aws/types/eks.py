"""Elastic Kubernetes Service: clusters."""

from typing import Any, Final

from embedded.plugins.aws.call import Call
from embedded.plugins.aws.documents import same_named_parts
from embedded.plugins.aws.errors import code_of
from embedded.plugins.aws.mapping import from_aws
from embedded.plugins.aws.operations import mapped_tags, with_mapped_tags
from embedded.plugins.aws.schema import ResourceType, block, flag, name, text, text_set, texts
from embedded.plugins.common.errors import PluginError
from embedded.plugins.common.values import Values

CLUSTER_SECONDS: Final = 3600.0
"""eks_cluster, "Timeouts": create 30, update 60, delete 15 minutes; the longest is kept for all."""
GONE: Final = ("ResourceNotFoundException",)
LOG_TYPES: Final = ("api", "audit", "authenticator", "controllerManager", "scheduler")


def _create_cluster(call: Call) -> str:
    arguments = with_mapped_tags(call)
    if call.get("enabledClusterLogTypes"):
        arguments["logging"] = _logging(call.values["enabledClusterLogTypes"])
    if call.get("encryptionConfig"):
        arguments["encryptionConfig"] = [arguments["encryptionConfig"]]
    return str(call.client.create_cluster(**arguments)["cluster"]["name"])


def _logging(wanted: list[str]) -> dict[str, Any]:
    off = [kind for kind in LOG_TYPES if kind not in wanted]
    setups = [{"types": list(wanted), "enabled": True}, {"types": off, "enabled": False}]
    return {"clusterLogging": [setup for setup in setups if setup["types"]]}


def _describe(call: Call) -> dict[str, Any]:
    return dict(call.client.describe_cluster(name=call.id)["cluster"])


def _wait_active(call: Call) -> None:
    def active() -> bool:
        status = _describe(call)["status"]
        if status == "FAILED":
            raise PluginError(f"cluster '{call.id}' is in status FAILED")
        return bool(status == "ACTIVE")

    call.wait(f"cluster '{call.id}' becoming active", active, CLUSTER_SECONDS)


def _read_cluster(call: Call) -> Values | None:
    found = _describe(call)
    logging = (found.get("logging") or {}).get("clusterLogging") or []
    encryption = found.get("encryptionConfig") or []
    oidc = ((found.get("identity") or {}).get("oidc") or {}).get("issuer")
    values = from_aws(call.kind, {**found, "encryptionConfig": encryption[0] if encryption else None})
    network = found.get("resourcesVpcConfig") or {}
    vpc = {**values.pop("vpcConfig", {}), "clusterSecurityGroupId": network.get("clusterSecurityGroupId")}
    values["vpcConfig"] = {**vpc, "vpcId": network.get("vpcId")}
    return {
        **values,
        "enabledClusterLogTypes": [
            kind for setup in logging if setup.get("enabled") for kind in setup["types"]
        ],
        "identities": [{"oidcs": [{"issuer": oidc}]}] if oidc else [],
        "tagsAll": found.get("tags") or {},
    }


# Inputs that UpdateClusterConfig takes, one kind a call.
# https://docs.aws.amazon.com/eks/latest/APIReference/API_UpdateClusterConfig.html
_CONFIGURED: Final = (
    ("accessConfig",),
    ("computeConfig", "kubernetesNetworkConfig", "storageConfig"),
    ("upgradePolicy",),
    ("zonalShiftConfig",),
    ("deletionProtection",),
)


def _update_cluster(call: Call) -> None:
    if "version" in call.changed:
        call.client.update_cluster_version(name=call.id, version=call.values["version"])
        _wait_active(call)
    for names in _CONFIGURED:
        if call.changed & set(names):
            arguments = call.arguments(names)
            (arguments.get("accessConfig") or {}).pop("bootstrapClusterCreatorAdminPermissions", None)
            _configure(call, arguments)
    if "vpcConfig" in call.changed:
        _configure(call, call.arguments(["vpcConfig"]))
    if "enabledClusterLogTypes" in call.changed:
        _configure(call, {"logging": _logging(call.get("enabledClusterLogTypes", []))})


def _configure(call: Call, arguments: dict[str, Any]) -> None:
    call.client.update_cluster_config(name=call.id, **arguments)
    _wait_active(call)


def _delete_cluster(call: Call) -> None:
    if _describe(call).get("deletionProtection"):
        raise PluginError(
            f"InvalidRequestException: cluster '{call.id}' has deletion protection; turn it off first"
        )
    call.client.delete_cluster(name=call.id)

    def gone() -> bool:
        try:
            _describe(call)
        except Exception as error:
            if code_of(error) in GONE:
                return True
            raise
        return False

    call.wait(f"cluster '{call.id}' being deleted", gone, CLUSTER_SECONDS)


def _same_vpc(left: Any, right: Any) -> bool:
    """The network settings that the program names; the cluster's own security group and VPC come from AWS."""
    defaults = {
        "endpointPrivateAccess": False,
        "endpointPublicAccess": True,
        "publicAccessCidrs": ["0.0.0.0/0"],
    }
    left, right = {**defaults, **(left or {})}, {**defaults, **(right or {})}
    lists = ("subnetIds", "securityGroupIds", "publicAccessCidrs")
    return all(sorted(left.get(key) or []) == sorted(right.get(key) or []) for key in lists) and all(
        bool(left.get(key)) == bool(right.get(key))
        for key in ("endpointPrivateAccess", "endpointPublicAccess")
    )


CLUSTER = ResourceType(
    token="aws:eks/cluster:Cluster",  # noqa: S106 - a type token
    page="eks_cluster",
    service="eks",
    style="camel",
    properties={
        "name": name(100),
        "roleArn": text(required=True, fixed=True),
        "version": text(computed=True),
        "vpcConfig": block(
            {
                "subnetIds": text_set(required=True),
                "securityGroupIds": text_set(),
                "endpointPrivateAccess": flag(),
                "endpointPublicAccess": flag(),
                "publicAccessCidrs": text_set(),
            },
            aws="resourcesVpcConfig",
            required=True,
            equal=_same_vpc,
        ),
        "accessConfig": block(
            {
                "authenticationMode": text(allowed=("CONFIG_MAP", "API", "API_AND_CONFIG_MAP")),
                "bootstrapClusterCreatorAdminPermissions": flag(),
            },
            computed=True,
            equal=same_named_parts,
        ),
        "bootstrapSelfManagedAddons": flag(fixed=True, default=True, write_only=True),
        "computeConfig": block(
            {"enabled": flag(), "nodePools": text_set(), "nodeRoleArn": text()},
            computed=True,
            equal=same_named_parts,
        ),
        "storageConfig": block(
            {"blockStorage": block({"enabled": flag()})}, computed=True, equal=same_named_parts
        ),
        "kubernetesNetworkConfig": block(
            {
                "serviceIpv4Cidr": text(),
                "ipFamily": text(),
                "elasticLoadBalancing": block({"enabled": flag()}),
            },
            computed=True,
            equal=same_named_parts,
        ),
        "encryptionConfig": block(
            {
                "provider": block({"keyArn": text(required=True)}, required=True),
                "resources": texts(required=True),
            },
            fixed=True,
        ),
        "enabledClusterLogTypes": text_set(aws=None),
        "upgradePolicy": block({"supportType": text()}, computed=True, equal=same_named_parts),
        "zonalShiftConfig": block({"enabled": flag()}, computed=True, equal=same_named_parts),
        "deletionProtection": flag(computed=True),
    },
    outputs={
        "arn": "arn",
        "certificateAuthority": "certificateAuthority",
        "clusterId": "id",
        "createdAt": "createdAt",
        "endpoint": "endpoint",
        "identities": None,
        "platformVersion": "platformVersion",
        "status": "status",
    },
    volatile=("platformVersion", "status"),
    create=_create_cluster,
    settled=_wait_active,
    read=_read_cluster,
    update=_update_cluster,
    delete=_delete_cluster,
    tags=mapped_tags(lambda call: call.session.arn("eks", f"cluster/{call.id}", call.region)),
    gone=GONE,
    import_id="the cluster's name",
)

TYPES = (CLUSTER,)
