"""The ECR repository of Airflow images with DAGs baked in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRegistryArgs:
    """What an ImageRegistry needs."""

    name: str
    key_arn: pulumi.Input[str]
    protected: bool


class ImageRegistry(pulumi.ComponentResource):
    """A repository whose tags never move and whose images are scanned when they arrive."""

    TOKEN: Final = "airflowinfra:index:ImageRegistry"  # noqa: S105 - a type token

    url: pulumi.Output[str]
    """Repository as images name it."""

    def __init__(
        self, name: str, args: ImageRegistryArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        repository = aws.ecr.Repository(
            f"{name}-repository",
            name=args.name,
            # A tag that moves leaves workers with another image than the scheduler.
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration=aws.ecr.RepositoryImageScanningConfigurationArgs(scan_on_push=True),
            encryption_configurations=[
                aws.ecr.RepositoryEncryptionConfigurationArgs(encryption_type="KMS", kms_key=args.key_arn)
            ],
            force_delete=not args.protected,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protected),
        )
        self.url = repository.repository_url
        self.register_outputs({"url": self.url})
