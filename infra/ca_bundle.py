"""Certificate authorities of the database, as text: read once, before anything is registered."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pulumi

VARIABLE: Final = "RDS_CA_BUNDLE"
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html
_HOST: Final = "truststore.pki.rds.amazonaws.com"
_GOVERNMENT_HOST: Final = "truststore.pki.{region}.rds.amazonaws.com"
# A ConfigMap holds 1 MiB at most.
LIMIT_BYTES: Final = 900_000


def download_url(region: str) -> str:
    """Return where AWS keeps the bundle of a region; GovCloud's regions have a host each."""
    host = _GOVERNMENT_HOST.format(region=region) if region.startswith("us-gov-") else _HOST
    return f"https://{host}/{region}/{region}-bundle.pem"


def read_ca_bundle(path: str, *, root: Path, region: str, environment: Mapping[str, str]) -> str:
    """Return the PEM text of the bundle.

    Args:
        path: file of the stack's parameter, relative to `root`; RDS_CA_BUNDLE in `environment` takes its
            place.
        root: the project's directory.
        region: AWS region, for the message that says where to get the file.
        environment: environment variables.

    Raises:
        pulumi.RunError: there is no such file, or it holds no certificates.
    """
    file = Path(environment[VARIABLE]) if environment.get(VARIABLE) else root / path
    source = VARIABLE if environment.get(VARIABLE) else "airflow:database.caBundle"
    get = f"get it with: curl --fail --output {file} {download_url(region)}"
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise pulumi.RunError(f"{source}: {file}: can't be read ({type(error).__name__}); {get}") from None
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise pulumi.RunError(f"{source}: {file}: holds no certificate; {get}")
    if len(text.encode()) > LIMIT_BYTES:
        raise pulumi.RunError(
            f"{source}: {file}: is too big for a ConfigMap; use the bundle of the region; {get}"
        )
    return text
