"""EC2 instances, as far as a runner in a VPC needs them. Nothing boots: the account keeps what was asked."""

from typing import Any, Final

from embedded.plugins.aws.call import Call
from embedded.plugins.aws.documents import same_named_parts
from embedded.plugins.aws.mapping import from_aws
from embedded.plugins.aws.schema import ResourceType, block, flag, number, text, text_set
from embedded.plugins.aws.types.ec2_tags import TAGS, make
from embedded.plugins.common.errors import PluginError
from embedded.plugins.common.values import Values

READY_SECONDS: Final = 1200.0
"""instance, "Timeouts": create 10, update 10, delete 20 minutes; the longest is kept for all."""
ROOT_DEVICE: Final = "/dev/sda1"
GONE_STATES: Final = ("shutting-down", "terminated")


def _describe(call: Call) -> dict[str, Any]:
    found = call.client.describe_instances(InstanceIds=[call.id])["Reservations"]
    return dict(found[0]["Instances"][0]) if found else {}


def _state(call: Call) -> str:
    return str(_describe(call).get("State", {}).get("Name", "terminated"))


def _create(call: Call) -> str:
    profile, disk = call.get("iamInstanceProfile"), call.get("rootBlockDevice")
    more: dict[str, Any] = {"MinCount": 1, "MaxCount": 1}
    if profile:
        more["IamInstanceProfile"] = {"Name": profile}
    if disk:
        ebs = call.arguments(["rootBlockDevice"])["RootBlockDevice"]
        more["BlockDeviceMappings"] = [{"DeviceName": ROOT_DEVICE, "Ebs": ebs}]
    arguments = {key: value for key, value in call.arguments().items() if key != "RootBlockDevice"}
    if call.get("associatePublicIpAddress") is not None:
        # A public address can only be asked for with an interface, which then takes subnet and groups.
        more["NetworkInterfaces"] = [_interface(call, arguments)]
    return make(call, "run_instances", "instance", "Instances.0.InstanceId", **more, arguments=arguments)


def _interface(call: Call, arguments: dict[str, Any]) -> dict[str, Any]:
    interface = {"DeviceIndex": 0, "AssociatePublicIpAddress": call.values["associatePublicIpAddress"]}
    for argument, member in (("SubnetId", "SubnetId"), ("SecurityGroupIds", "Groups")):
        if argument in arguments:
            interface[member] = arguments.pop(argument)
    return interface


def _running(call: Call) -> None:
    def running() -> bool:
        state = _state(call)
        if state in GONE_STATES:
            raise PluginError(f"instance '{call.id}' ended while it started; it is in state '{state}'")
        return state == "running"

    call.wait(f"instance '{call.id}' running", running, READY_SECONDS)


def _read(call: Call) -> Values | None:
    found = _describe(call)
    if not found or found["State"]["Name"] in GONE_STATES:
        return None
    profile = (found.get("IamInstanceProfile") or {}).get("Arn")
    return {
        **from_aws(call.kind, found),
        "iamInstanceProfile": profile.rsplit("/", 1)[-1] if profile else None,
        "vpcSecurityGroupIds": [group["GroupId"] for group in found.get("SecurityGroups") or []],
        "instanceState": found["State"]["Name"],
        "primaryNetworkInterfaceId": (found.get("NetworkInterfaces") or [{}])[0].get("NetworkInterfaceId"),
        "rootBlockDevice": _root_device(call, found),
        "arn": call.session.arn("ec2", f"instance/{call.id}", call.region),
    }


def _root_device(call: Call, found: dict[str, Any]) -> Values | None:
    volumes = [item["Ebs"]["VolumeId"] for item in found.get("BlockDeviceMappings") or [] if "Ebs" in item]
    if not volumes:
        return None
    volume = call.client.describe_volumes(VolumeIds=volumes[:1])["Volumes"][0]
    return {
        "volumeId": volume["VolumeId"],
        "encrypted": volume.get("Encrypted"),
        "kmsKeyId": volume.get("KmsKeyId"),
        "volumeSize": volume.get("Size"),
        "volumeType": volume.get("VolumeType"),
    }


def _update(call: Call) -> None:
    if "vpcSecurityGroupIds" in call.changed:
        call.client.modify_instance_attribute(InstanceId=call.id, Groups=call.get("vpcSecurityGroupIds", []))
    if "metadataOptions" in call.changed:
        options = call.arguments(["metadataOptions"])["MetadataOptions"]
        call.client.modify_instance_metadata_options(InstanceId=call.id, **options)
    if "iamInstanceProfile" in call.changed:
        _set_profile(call)
    if "instanceType" in call.changed:
        # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/change-instance-type-of-ebs-backed-instance.html
        call.client.stop_instances(InstanceIds=[call.id])
        call.wait(f"instance '{call.id}' stopped", lambda: _state(call) == "stopped", READY_SECONDS)
        wanted = {"Value": call.values["instanceType"]}
        call.client.modify_instance_attribute(InstanceId=call.id, InstanceType=wanted)
        call.client.start_instances(InstanceIds=[call.id])
        _running(call)


def _set_profile(call: Call) -> None:
    filters = [{"Name": "instance-id", "Values": [call.id]}]
    found = call.client.describe_iam_instance_profile_associations(Filters=filters)
    for item in found["IamInstanceProfileAssociations"]:
        call.client.disassociate_iam_instance_profile(AssociationId=item["AssociationId"])
    if call.get("iamInstanceProfile"):
        profile = {"Name": call.values["iamInstanceProfile"]}
        call.client.associate_iam_instance_profile(InstanceId=call.id, IamInstanceProfile=profile)


def _delete(call: Call) -> None:
    call.client.terminate_instances(InstanceIds=[call.id])
    call.wait(f"instance '{call.id}' terminated", lambda: _state(call) == "terminated", READY_SECONDS)


INSTANCE = ResourceType(
    token="aws:ec2/instance:Instance",  # noqa: S106 - a type token
    page="instance",
    service="ec2",
    properties={
        "ami": text(aws="ImageId", required=True, fixed=True),
        "instanceType": text(required=True),
        "subnetId": text(fixed=True, computed=True),
        "vpcSecurityGroupIds": text_set(aws="SecurityGroupIds", computed=True),
        "associatePublicIpAddress": flag(aws=None, fixed=True, computed=True, write_only=True),
        "iamInstanceProfile": text(aws=None),
        "metadataOptions": block(
            {
                "httpEndpoint": text(allowed=("enabled", "disabled")),
                "httpTokens": text(allowed=("optional", "required")),
                "httpPutResponseHopLimit": number(),
                "instanceMetadataTags": text(allowed=("enabled", "disabled")),
            },
            computed=True,
            equal=same_named_parts,
        ),
        # A volume can be changed in place by calls of its own; those are not emulated, so it is another one.
        "rootBlockDevice": block(
            {
                "encrypted": flag(),
                "kmsKeyId": text(),
                "volumeSize": number(),
                "volumeType": text(),
            },
            fixed=True,
            computed=True,
            equal=same_named_parts,
        ),
    },
    outputs={
        "arn": None,
        "instanceState": None,
        "primaryNetworkInterfaceId": None,
        "privateDns": "PrivateDnsName",
        "privateIp": "PrivateIpAddress",
        "publicIp": "PublicIpAddress",
    },
    volatile=("instanceState",),
    create=_create,
    settled=_running,
    read=_read,
    update=_update,
    delete=_delete,
    tags=TAGS,
    gone=("InvalidInstanceID.NotFound",),
    import_id="i-...",
)

TYPES = (INSTANCE,)
