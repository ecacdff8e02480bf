"""What every new bucket has on AWS and not in moto, and the names that belong to other accounts."""

from typing import Any

OWNED_BY_OTHERS = frozenset({"airflow", "airflow-logs", "logs", "test", "example-bucket"})
"""Bucket names are shared by all accounts, and such plain ones were taken long ago."""


def install() -> None:
    """Give new buckets Block Public Access, no ACLs, and encryption by S3's own keys.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/create-bucket-faq.html
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-encryption-faq.html
    """
    from moto.s3.models import FakeBucket, PublicAccessBlock

    original = FakeBucket.__init__

    def with_defaults(bucket: Any, *arguments: Any, **named: Any) -> None:
        original(bucket, *arguments, **named)
        bucket.public_access_block = PublicAccessBlock("true", "true", "true", "true")
        bucket.ownership_rule = "BucketOwnerEnforced"
        bucket.encryption = {"Rule": {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}}

    FakeBucket.__init__ = with_defaults  # type: ignore[method-assign, assignment]
