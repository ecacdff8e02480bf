"""Names of resources that exist already: they have to be where the environment can use them."""

from __future__ import annotations

from collections.abc import Mapping

from infra.settings_access import AccessSettings
from infra.settings_dag_parameters import ParameterSettings
from infra.settings_database import RestoreSettings


def arn_mistakes(
    *,
    region: str,
    account_id: str,
    access: AccessSettings,
    permissions_boundary: str | None,
    parameters: Mapping[str, ParameterSettings],
    restore: RestoreSettings,
) -> list[tuple[str, object, str]]:
    """What is in another region or account: key, value, what is allowed.

    A load balancer takes certificates of its own region, a role's boundary is a policy of its own account,
    and the provider asks Secrets Manager in the environment's region:
    https://docs.aws.amazon.com/acm/latest/userguide/acm-regions.html

    Args:
        region: region of the environment.
        account_id: its account.
        access: where the certificate is.
        permissions_boundary: ARN of the boundary.
        parameters: key -> Variable or Connection.
        restore: what the database begins with. Its snapshot and its secret may be another account's that
            shares them: the program makes copies of its own.
    """
    in_region = {"access.certificateArn": access.certificate_arn}
    in_region |= {f"{key}.secret": entry.secret for key, entry in parameters.items()}
    mistakes: list[tuple[str, object, str]] = [
        (key, arn, f"allowed: one of region {region}")
        for key, arn in in_region.items()
        if arn is not None and arn.split(":")[3] != region
    ]
    mistakes += _restore_mistakes(region, restore)
    if permissions_boundary is not None and permissions_boundary.split(":")[4] != account_id:
        mistakes.append(
            ("permissionsBoundary", permissions_boundary, f"allowed: a policy of account {account_id}")
        )
    return mistakes


def _restore_mistakes(region: str, restore: RestoreSettings) -> list[tuple[str, object, str]]:
    """RDS and Secrets Manager are asked in the environment's region, whatever an ARN says."""
    given = {
        "snapshot": (
            restore.snapshot,
            "copy it there first: aws rds copy-db-snapshot --source-region {other} --region {region} "
            "--source-db-snapshot-identifier ARN --target-db-snapshot-identifier NAME --kms-key-id KEY",
        ),
        "fernetKeysSecret": (
            restore.fernet_keys_secret,
            "replicate it there first: aws secretsmanager replicate-secret-to-regions --region {other} "
            "--secret-id ARN --add-replica-regions Region={region}",
        ),
    }
    return [
        (
            f"database.restore.{key}",
            arn,
            f"allowed: one of region {region}; {step.format(other=other, region=region)}",
        )
        for key, (arn, step) in given.items()
        if arn is not None and arn.startswith("arn:") and (other := arn.split(":")[3]) != region
    ]
