"""The S3 bucket of a state backend, asked with the parameters that the engine reads from its URL."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
from botocore.config import Config


def client(backend: str) -> Any:
    """Return the S3 client of s3://BUCKET/PREFIX?region=REGION&profile=NAME&endpoint=HOST and so on.

    https://www.pulumi.com/docs/iac/concepts/state-and-backends/#aws-s3; each parameter has two names, of the
    first and of the second version of the engine's own S3 client.

    Raises:
        botocore.exceptions.BotoCoreError: there is no such profile, or no region.
    """
    given = {name: values[0] for name, values in parse_qs(urlsplit(backend).query).items()}

    def told(*names: str) -> bool:
        return any(given.get(name, "").lower() in ("1", "t", "true") for name in names)

    endpoint = given.get("endpoint")
    if endpoint is not None and "://" not in endpoint:
        endpoint = f"{'http' if told('disableSSL', 'disable_https') else 'https'}://{endpoint}"
    by_path = told("s3ForcePathStyle", "use_path_style")
    # The default session knows the profile of the environment.
    session: Any = boto3.Session(profile_name=given["profile"]) if "profile" in given else boto3
    return session.client(
        "s3",
        region_name=given.get("region"),
        endpoint_url=endpoint,
        config=Config(s3={"addressing_style": "path"}) if by_path else None,
    )
