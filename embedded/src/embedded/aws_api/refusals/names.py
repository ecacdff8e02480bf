"""Names that a service does not take."""

import re
from collections.abc import Callable

from embedded.aws_api.application import Refusal
from embedded.aws_api.operations import Operation
from embedded.aws_api.refusals.rules import Rule, Rules, rules


def _name_rule(parameter: str, pattern: str, code: str, message: Callable[[str], str]) -> Rule:
    """A parameter must fit a pattern as a whole, if it is given."""
    compiled = re.compile(pattern)

    def check(operation: Operation) -> None:
        value = operation.text(parameter)
        if value and not compiled.fullmatch(value):
            raise Refusal(code, message(value), 400)

    return check


def _bucket(operation: Operation) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html"""
    name = operation.text("Bucket")
    is_address = bool(re.fullmatch(r"\d+\.\d+\.\d+\.\d+", name))
    valid = bool(re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", name)) and not is_address
    prefixes = ("xn--", "sthree-", "amzn-s3-demo-")
    suffixes = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
    if not valid or ".." in name or name.startswith(prefixes) or name.endswith(suffixes):
        raise Refusal("InvalidBucketName", "The specified bucket is not valid.", 400)


def _rds(parameter: str, reserved: str = r"(?!)", extra: str = "") -> Rule:
    """RDS identifiers: a letter first, single hyphens within, none at the end.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
    """
    pattern = rf"(?!(?:{reserved})$)(?=.{{1,255}}$)[A-Za-z](?:-?[A-Za-z0-9{extra}])*"
    return _name_rule(
        parameter,
        pattern,
        "InvalidParameterValue",
        lambda value: (
            f"The parameter {parameter} is not a valid identifier. Identifiers must begin "
            "with a letter; must "
            "contain only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two "
            f"consecutive hyphens. ({value})"
        ),
    )


def _rds_instance(operation: Operation) -> None:
    if len(operation.text("DBInstanceIdentifier")) > 63:
        message = "The parameter DBInstanceIdentifier must have at most 63 characters."
        raise Refusal("InvalidParameterValue", message, 400)


def _iam(parameter: str, longest: int) -> Rule:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
    return _name_rule(
        parameter,
        rf"[\w+=,.@-]{{1,{longest}}}",
        "ValidationError",
        lambda _: (
            f"The specified value for {parameter[0].lower()}{parameter[1:]} is invalid. It must contain only "
            f"alphanumeric characters and/or the following: +=,.@_- and have at most {longest} characters."
        ),
    )


# https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
_secret = _name_rule(
    "Name",
    r"[A-Za-z0-9/_+=.@-]{1,512}",
    "ValidationException",
    lambda _: (
        "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: "
        "-/_+=.@!"
    ),
)
# https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html
_cluster = _name_rule(
    "name",
    r"[0-9A-Za-z][A-Za-z0-9_-]{0,99}",
    "InvalidParameterException",
    lambda value: (
        "The name can contain only alphanumeric characters (case-sensitive), hyphens, and "
        "underscores. It must "
        f"start with an alphanumeric character and can't be longer than 100 characters: {value}"
    ),
)
# https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html
_REPOSITORY = r"(?=.{2,256}$)(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*"
_repository = _name_rule(
    "repositoryName",
    _REPOSITORY,
    "InvalidParameterException",
    lambda value: (
        f"Invalid parameter at 'repositoryName' failed to satisfy constraint: '{value}' must satisfy regular "
        f"expression '{_REPOSITORY}'"
    ),
)
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html
_log_group = _name_rule(
    "logGroupName",
    r"(?!aws/)[.\-_/#A-Za-z0-9]{1,512}",
    "InvalidParameterException",
    lambda value: (
        f"1 validation error detected: Value '{value}' at 'logGroupName' failed to satisfy "
        "constraint: Member "
        r"must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+"
    ),
)
# https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
_topic = _name_rule(
    "Name",
    r"[A-Za-z0-9_-]{1,256}|[A-Za-z0-9_-]{1,251}\.fifo",
    "InvalidParameter",
    lambda value: f"Invalid parameter: Topic Name ({value})",
)
# https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateAlias.html
_alias = _name_rule(
    "AliasName",
    r"alias/[a-zA-Z0-9/_-]{1,250}",
    "ValidationException",
    lambda value: (
        f"1 validation error detected: Value '{value}' at 'aliasName' failed to satisfy "
        "constraint: Member must "
        "satisfy regular expression pattern: ^(alias/)[a-zA-Z0-9/_-]+$"
    ),
)


# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
_image = _name_rule(
    "ImageId",
    r"ami-(?:[0-9a-f]{8}|[0-9a-f]{17})",
    "InvalidAMIID.Malformed",
    lambda value: f'Invalid id: "{value}"',
)


def _security_group(operation: Operation) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html"""
    allowed = r"[A-Za-z0-9 ._:/()#,@\[\]+=&;{}!$*-]{1,255}"
    for parameter in ("GroupName", "Description"):
        value = operation.text(parameter)
        if not re.fullmatch(allowed, value):
            message = (
                f"Value ({value}) for parameter {parameter} is invalid. Character sets beyond "
                "ASCII are not supported."
            )
            raise Refusal("InvalidParameterValue", message, 400)
    name = operation.text("GroupName")
    if name.startswith("sg-"):
        message = (
            f"Value ({name}) for parameter GroupName is invalid. Group names may not be in the format sg-*."
        )
        raise Refusal("InvalidParameterValue", message, 400)


RULES: Rules = {
    **rules("s3", {"CreateBucket": _bucket}),
    **rules(
        "rds",
        {
            "CreateDBInstance RestoreDBInstanceFromDBSnapshot": (_rds("DBInstanceIdentifier"), _rds_instance),
            "CreateDBSubnetGroup": _rds("DBSubnetGroupName", reserved="[Dd]efault", extra=" ._"),
            "CreateDBParameterGroup": _rds("DBParameterGroupName", extra="."),
            "CreateDBSnapshot": _rds("DBSnapshotIdentifier"),
        },
    ),
    **rules(
        "iam",
        {
            "CreateRole": _iam("RoleName", 64),
            "CreatePolicy PutRolePolicy": _iam("PolicyName", 128),
            "CreateInstanceProfile": _iam("InstanceProfileName", 128),
            "CreateUser": _iam("UserName", 64),
        },
    ),
    **rules("secretsmanager", {"CreateSecret": _secret}),
    **rules("eks", {"CreateCluster": _cluster}),
    **rules("ecr", {"CreateRepository": _repository}),
    **rules("logs", {"CreateLogGroup": _log_group}),
    **rules("sns", {"CreateTopic": _topic}),
    **rules("kms", {"CreateAlias": _alias}),
    **rules("ec2", {"CreateSecurityGroup": _security_group, "RunInstances": _image}),
}
