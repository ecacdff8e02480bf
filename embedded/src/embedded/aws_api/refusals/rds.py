"""RDS: subnet groups that cover too little, and monitoring roles that RDS could not assume."""

from embedded.aws_api import ACCOUNT_ID
from embedded.aws_api.application import Refusal
from embedded.aws_api.operations import Operation
from embedded.aws_api.refusals.rules import Rules, rules
from embedded.aws_api.request_context import service_context
from embedded.aws_api.trust import service_may_assume

_MONITORING = "monitoring.rds.amazonaws.com"


def _subnet_group(operation: Operation) -> None:
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBSubnetGroup.html"""
    from moto.rds.models import rds_backends

    name = operation.text("DBSubnetGroupName").lower()
    if any(one.lower() == name for one in rds_backends[ACCOUNT_ID][operation.region].subnet_groups):
        raise Refusal("DBSubnetGroupAlreadyExists", f"The DB subnet group '{name}' already exists.", 400)


def _subnets(operation: Operation) -> None:
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBSubnetGroup.html"""
    from moto.ec2.models import ec2_backends

    wanted = operation.parameters.get("SubnetIds") or []
    known = {one.id: one for one in ec2_backends[ACCOUNT_ID][operation.region].describe_subnets()}
    if missing := [one for one in wanted if one not in known]:
        message = f"Some input subnets in :[{', '.join(missing)}] are invalid."
        raise Refusal("InvalidSubnet", message, 400)
    if len({known[one].availability_zone for one in wanted}) < 2:
        message = (
            "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. "
            "Current AZ coverage: "
            f"{', '.join(sorted({known[one].availability_zone for one in wanted}))}. Add "
            "subnets to cover at least 2 AZs."
        )
        raise Refusal("DBSubnetGroupDoesNotCoverEnoughAZs", message, 400)
    if len({known[one].vpc_id for one in wanted}) > 1:
        raise Refusal("InvalidSubnet", "The subnets must all be in the same VPC.", 400)


def _monitoring_role(operation: Operation) -> None:
    """https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Monitoring.OS.Enabling.html"""
    role = operation.text("MonitoringRoleArn")
    if not role:
        return
    arn = f"arn:aws:rds:{operation.region}:{ACCOUNT_ID}:db:{operation.text('DBInstanceIdentifier')}"
    context = service_context(_MONITORING, arn, {})
    if not service_may_assume(role, _MONITORING, ["sts:AssumeRole"], context):
        message = (
            "IAM role ARN value is invalid or does not include the required permissions for: "
            "ENHANCED_MONITORING"
        )
        raise Refusal("InvalidParameterValue", message, 400)


RULES: Rules = rules(
    "rds",
    {
        "CreateDBSubnetGroup": (_subnet_group, _subnets),
        "ModifyDBSubnetGroup": _subnets,
        "CreateDBInstance ModifyDBInstance RestoreDBInstanceFromDBSnapshot": _monitoring_role,
    },
)
