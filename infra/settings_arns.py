"""Names of resources that exist already: they have to be where the environment can use them."""

from __future__ import annotations

from collections.abc import Mapping

from infra.settings_access import AccessSettings
from infra.settings_dag_parameters import ParameterSettings


def arn_mistakes(
    *,
    region: str,
    account_id: str,
    access: AccessSettings,
    permissions_boundary: str | None,
    parameters: Mapping[str, ParameterSettings],
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
    """
    in_region = {"access.certificateArn": access.certificate_arn}
    in_region |= {f"{key}.secret": entry.secret for key, entry in parameters.items()}
    mistakes: list[tuple[str, object, str]] = [
        (key, arn, f"allowed: one of region {region}")
        for key, arn in in_region.items()
        if arn is not None and arn.split(":")[3] != region
    ]
    if permissions_boundary is not None and permissions_boundary.split(":")[4] != account_id:
        mistakes.append(
            ("permissionsBoundary", permissions_boundary, f"allowed: a policy of account {account_id}")
        )
    return mistakes
