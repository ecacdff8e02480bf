"""Services that use a KMS key on somebody's behalf, and their errors when the key cannot be used."""

from collections.abc import Callable

from embedded.aws_api import ACCOUNT_ID
from embedded.aws_api.application import Refusal
from embedded.aws_api.operations import Operation
from embedded.aws_api.permissions import default_encryption
from embedded.aws_api.policy.evaluation import Names, PolicySet, Question, decide
from embedded.aws_api.refusals.kms import PENDING_DELETION, find_key
from embedded.aws_api.refusals.rules import Rules, rules
from embedded.aws_api.request_context import encryption_context, service_context


def key_state(identifier: str, region: str) -> str:
    """`Enabled`, another state, or `missing`. AWS's own keys (`alias/aws/...`) are always enabled."""
    if "alias/aws/" in identifier:
        return "Enabled"
    key = find_key(identifier, region)
    if key is None:
        return "missing"
    if key.key_state == PENDING_DELETION:
        return PENDING_DELETION
    return "Enabled" if key.enabled else "Disabled"


# https://docs.aws.amazon.com/kms/latest/developerguide/unusable-kms-keys.html
_S3_ERRORS = {
    PENDING_DELETION: ("KMS.KMSInvalidStateException", "is pending deletion."),
    "Disabled": ("KMS.DisabledException", "is disabled."),
    "missing": ("KMS.NotFoundException", "does not exist."),
}


def _refuse_s3(identifier: str, region: str) -> None:
    if error := _S3_ERRORS.get(key_state(identifier, region)):
        raise Refusal(error[0], f"{identifier} {error[1]}", 400)


def _s3_read(operation: Operation) -> None:
    from moto.s3.models import s3_backends

    bucket = s3_backends[ACCOUNT_ID]["aws"].buckets.get(operation.text("Bucket"))
    found = bucket.keys.get(operation.text("Key")) if bucket is not None else None
    if bucket is not None and (key := getattr(found, "kms_key_id", None)):
        _refuse_s3(str(key), bucket.region_name)


def _s3_write(operation: Operation) -> None:
    from moto.s3.models import s3_backends

    bucket = s3_backends[ACCOUNT_ID]["aws"].buckets.get(operation.text("Bucket"))
    if bucket is None:
        return
    key = operation.headers.get("x-amz-server-side-encryption-aws-kms-key-id")
    if not key and not operation.headers.get("x-amz-server-side-encryption"):
        key = default_encryption(bucket).get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID")
    if key:
        _refuse_s3(key, bucket.region_name)


def _secret(code: str, verb: str) -> Callable[[Operation], None]:
    """https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html#API_GetSecretValue_Errors"""

    def check(operation: Operation) -> None:
        from moto.secretsmanager.models import secretsmanager_backends

        secrets = secretsmanager_backends[ACCOUNT_ID][operation.region].secrets
        secret = secrets.get(operation.text("SecretId"))
        key = operation.text("KmsKeyId") or str(getattr(secret, "kms_key_id", None) or "")
        if key and key_state(key, operation.region) != "Enabled":
            message = (
                f"Secrets Manager can't {verb} the protected secret text using the provided "
                "KMS key. Check that "
                "the KMS key is available, enabled, and not in an invalid state."
            )
            raise Refusal(code, message, 400)

    return check


def _database(operation: Operation) -> None:
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html"""
    for name in ("KmsKeyId", "MasterUserSecretKmsKeyId", "PerformanceInsightsKMSKeyId"):
        key = operation.text(name)
        if key and key_state(key, operation.region) != "Enabled":
            message = (
                f"The specified KMS key [{key}] does not exist, is not enabled or you do not have "
                "permissions to access it."
            )
            raise Refusal("KMSKeyNotAccessibleFault", message, 400)


def _log_group(operation: Operation) -> None:
    """CloudWatch Logs uses a key as itself: the key's policy must allow the service for this log group.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
    """
    identifier = operation.text("kmsKeyId")
    if not identifier:
        return
    group = f"arn:aws:logs:{operation.region}:{ACCOUNT_ID}:log-group:{operation.text('logGroupName')}"
    key = find_key(identifier, operation.region)
    if key is None or key_state(identifier, operation.region) != "Enabled" or not _logs_may_use(key, group):
        message = f"The specified KMS key does not exist or is not allowed to be used with LogGroup '{group}'"
        raise Refusal("AccessDeniedException", message, 400)


def _logs_may_use(key: object, group: str) -> bool:
    region = group.split(":")[3]
    service = f"logs.{region}.amazonaws.com"
    context = {**service_context(service, group, {}), **encryption_context({"aws:logs:arn": group})}
    policies = PolicySet(identity=(), resource=str(getattr(key, "policy", "{}")), resource_must_allow=True)
    return all(
        decide(
            Question(action, str(getattr(key, "arn", "")), Names(service=service), ACCOUNT_ID, context),
            policies,
        ).allowed
        for action in ("kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey")
    )


RULES: Rules = {
    **rules("s3", {"GetObject": _s3_read, "PutObject CreateMultipartUpload CopyObject": _s3_write}),
    **rules(
        "secretsmanager",
        {
            "GetSecretValue": _secret("DecryptionFailure", "decrypt"),
            "CreateSecret PutSecretValue UpdateSecret": _secret("EncryptionFailure", "encrypt"),
        },
    ),
    **rules("rds", {"CreateDBInstance RestoreDBInstanceFromDBSnapshot ModifyDBInstance": _database}),
    **rules("logs", {"CreateLogGroup AssociateKmsKey": _log_group}),
}
