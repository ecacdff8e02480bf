"""The embedded cloud's AWS account: one process that answers for AWS, EKS's webhooks and Pod Identity.

It is a moto server over TLS with what moto lacks or gets too forgiving: EKS access and Pod Identity,
RDS instances that are real Postgres servers, policy conditions, and state that survives `kill -9`.
"""

ACCOUNT_ID = "123456789012"
"""The account of the embedded cloud (moto's own default)."""

DEFAULT_REGION = "eu-west-1"
"""The region that stack files of this project name; other regions work as well."""
