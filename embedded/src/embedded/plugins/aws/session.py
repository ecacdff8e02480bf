"""Connections to the AWS API: one client per service and region, made when first needed."""

import os
import threading
from functools import cached_property
from typing import Any, cast

from embedded.plugins.aws.configuration import Configuration
from embedded.plugins.aws.lost_answers import refuse_to_repeat
from embedded.plugins.common.errors import PluginError

ATTEMPTS = 5
"""Tries per call in botocore's standard retry mode, which waits between them."""


class Session:
    """boto3 clients under the provider's settings; safe to use from several threads."""

    def __init__(self, configuration: Configuration, cancelled: threading.Event | None = None) -> None:
        self.configuration = configuration
        self.cancelled = cancelled or threading.Event()
        """Set when the engine wants all waiting to end."""
        self._clients: dict[tuple[str, str], Any] = {}
        # A boto3 session is not safe for making clients in several threads; the clients themselves are.
        self._lock = threading.Lock()

    @property
    def region(self) -> str:
        """The provider's region; as the real provider, it has no default."""
        found = (
            self.configuration.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        )
        if not found:
            raise PluginError(
                "the aws provider has no region: set aws:region, the provider's 'region' or AWS_REGION"
            )
        return found

    @property
    def partition(self) -> str:
        """The partition of the region: aws, aws-cn or aws-us-gov."""
        for prefix, partition in (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov")):
            if self.region.startswith(prefix):
                return partition
        return "aws"

    @property
    def dns_suffix(self) -> str:
        """The domain of the partition's services."""
        return "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com"

    @cached_property
    def identity(self) -> dict[str, str]:
        """STS's answer to who is calling: Account, Arn, UserId."""
        answer = self.client("sts").get_caller_identity()
        return {name: answer[name] for name in ("Account", "Arn", "UserId")}

    @property
    def account(self) -> str:
        """The account id of the credentials."""
        return self.identity["Account"]

    def arn(self, service: str, resource: str, region: str = "") -> str:
        """The ARN of a resource of this account."""
        return f"arn:{self.partition}:{service}:{region}:{self.account}:{resource}"

    def client(self, service: str, region: str = "") -> Any:
        """The boto3 client of a service; region defaults to the provider's."""
        key = (service, region or self.region)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._make(*key)
            return self._clients[key]

    @cached_property
    def _session(self) -> Any:
        import boto3

        settings = self.configuration
        return boto3.Session(
            aws_access_key_id=settings.access_key,
            aws_secret_access_key=settings.secret_key,
            aws_session_token=settings.token,
            profile_name=settings.profile,
        )

    def _make(self, service: str, region: str) -> Any:
        from botocore.config import Config

        endpoint = self.configuration.endpoints.get(service.replace("-", ""))
        own_endpoint = endpoint or os.environ.get("AWS_ENDPOINT_URL")
        config = Config(
            retries={"mode": "standard", "max_attempts": ATTEMPTS},
            # Bucket names are no host names of an endpoint that is an address.
            s3={"addressing_style": "path"} if own_endpoint else None,
            max_pool_connections=32,
        )
        client = self._session.client(service, region_name=region, endpoint_url=endpoint, config=config)
        # First: what it refuses, botocore's own retries never see.
        client.meta.events.register_first("needs-retry", refuse_to_repeat)
        return cast(Any, client)
