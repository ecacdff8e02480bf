"""Clusters, database instances and keys that exist.

An existing resource is read by the declaration of its type; a function adds only what it names differently.
"""

from collections.abc import Mapping
from typing import Final

from embedded.plugins.aws.functions import Function, refuse_unknown, region_of, required
from embedded.plugins.aws.lifecycle import Lifecycle
from embedded.plugins.aws.registry import resource_type
from embedded.plugins.aws.session import Session
from embedded.plugins.common.errors import PluginError
from embedded.plugins.common.values import Values


def _existing(session: Session, token: str, resource_id: str, arguments: Values) -> Values:
    known = {"region": arguments["region"]} if arguments.get("region") else {}
    found = Lifecycle(resource_type(token), session).read(resource_id, resource_id, known, {})
    if found is None:
        raise PluginError(f"'{resource_id}' does not exist")
    state = {**found[0], "id": resource_id}
    if "tagsAll" in state:
        state["tags"] = state.pop("tagsAll")
    return state


def _cluster(session: Session, arguments: Values) -> Values:
    refuse_unknown(arguments, "name")
    state = _existing(session, "aws:eks/cluster:Cluster", required(arguments, "name"), arguments)
    # What the resource has once, the function's page has as a list of one.
    for single, many in (
        ("accessConfig", "accessConfigs"),
        ("certificateAuthority", "certificateAuthorities"),
        ("computeConfig", "computeConfigs"),
        ("kubernetesNetworkConfig", "kubernetesNetworkConfigs"),
        ("storageConfig", "storageConfigs"),
        ("upgradePolicy", "upgradePolicies"),
        ("zonalShiftConfig", "zonalShiftConfigs"),
    ):
        value = state.pop(single, None)
        state[many] = [value] if value else []
    state.pop("encryptionConfig", None)
    return state


def _instance(session: Session, arguments: Values) -> Values:
    refuse_unknown(arguments, "dbInstanceIdentifier")
    identifier = required(arguments, "dbInstanceIdentifier")
    state = _existing(session, "aws:rds/instance:Instance", identifier, arguments)
    groups = [state["parameterGroupName"]] if state.get("parameterGroupName") else []
    return {
        **state,
        "dbInstanceIdentifier": identifier,
        "dbInstanceArn": state.get("arn"),
        "dbInstanceClass": state.get("instanceClass"),
        "dbInstancePort": state.get("port"),
        "dbParameterGroups": groups,
        "dbSubnetGroup": state.get("dbSubnetGroupName"),
        "engineVersion": state.get("engineVersionActual"),
        "masterUsername": state.get("username"),
        "masterUserSecret": state.get("masterUserSecrets"),
        "preferredBackupWindow": state.get("backupWindow"),
        "preferredMaintenanceWindow": state.get("maintenanceWindow"),
        "vpcSecurityGroups": state.get("vpcSecurityGroupIds"),
    }


def _key(session: Session, arguments: Values) -> Values:
    refuse_unknown(arguments, "keyId")
    wanted = required(arguments, "keyId")
    region = str(arguments.get("region") or session.region)
    metadata = session.client("kms", region).describe_key(KeyId=wanted)["KeyMetadata"]
    return {
        "id": metadata["KeyId"],
        "keyId": wanted,
        "arn": metadata["Arn"],
        "awsAccountId": metadata["AWSAccountId"],
        "creationDate": metadata["CreationDate"].isoformat(),
        "customerMasterKeySpec": metadata.get("KeySpec"),
        "keySpec": metadata.get("KeySpec"),
        "description": metadata.get("Description", ""),
        "enabled": metadata["Enabled"],
        "keyManager": metadata.get("KeyManager"),
        "keyState": metadata["KeyState"],
        "keyUsage": metadata["KeyUsage"],
        "multiRegion": bool(metadata.get("MultiRegion")),
        "origin": metadata.get("Origin"),
        "region": region,
    }


def _alias(session: Session, arguments: Values) -> Values:
    refuse_unknown(arguments, "name")
    state = _existing(session, "aws:kms/alias:Alias", required(arguments, "name"), arguments)
    return {**state, "id": state["arn"]}


def _secret_version(session: Session, arguments: Values) -> Values:
    refuse_unknown(arguments, "secretId")
    wanted = required(arguments, "secretId")
    client = session.client("secretsmanager", region_of(session, arguments))
    found = client.get_secret_value(SecretId=wanted)
    return {
        "id": f"{found['ARN']}|{found['VersionId']}",
        "arn": found["ARN"],
        "secretId": wanted,
        "secretString": found.get("SecretString"),
        "versionId": found["VersionId"],
        "versionStages": found.get("VersionStages", []),
        "createdDate": found["CreatedDate"].isoformat(),
        "region": region_of(session, arguments),
    }


FUNCTIONS: Final[Mapping[str, Function]] = {
    "aws:eks/getCluster:getCluster": _cluster,
    "aws:rds/getInstance:getInstance": _instance,
    "aws:kms/getKey:getKey": _key,
    "aws:kms/getAlias:getAlias": _alias,
    "aws:secretsmanager/getSecretVersion:getSecretVersion": _secret_version,
}
