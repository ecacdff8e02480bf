"""The codes by which each service says that it is asked too often, or that it is broken.

Services differ in code and status; SDKs retry all of these.
https://docs.aws.amazon.com/general/latest/gr/api-retries.html and each service's page "Common errors";
the throttling codes are the ones of https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ErrorAnswer:
    """An AWS error."""

    code: str
    status: int
    message: str


_RATE = "Rate exceeded"
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
# https://docs.aws.amazon.com/eks/latest/APIReference/CommonErrors.html
_THROTTLING = {
    "ec2": ErrorAnswer("RequestLimitExceeded", 503, "Request limit exceeded."),
    "s3": ErrorAnswer("SlowDown", 503, "Please reduce your request rate."),
    "rds": ErrorAnswer("Throttling", 400, _RATE),
    "iam": ErrorAnswer("Throttling", 400, _RATE),
    "sts": ErrorAnswer("Throttling", 400, _RATE),
    "cloudwatch": ErrorAnswer("Throttling", 400, _RATE),
    "sns": ErrorAnswer("Throttling", 400, _RATE),
    "eks": ErrorAnswer("ThrottlingException", 429, _RATE),
}
_THROTTLING_DEFAULT = ErrorAnswer("ThrottlingException", 400, _RATE)

_WORDS = "We encountered an internal error. Please try again."
_INTERNAL = {
    "ec2": ErrorAnswer("InternalError", 500, "An internal error has occurred"),
    "s3": ErrorAnswer("InternalError", 500, _WORDS),
    "eks": ErrorAnswer("ServerException", 500, "These errors are usually caused by a server-side issue."),
    "iam": ErrorAnswer("ServiceFailure", 500, "The request processing has failed."),
    "kms": ErrorAnswer("KMSInternalException", 500, "The request was rejected; it can be retried."),
    "secretsmanager": ErrorAnswer("InternalServiceError", 500, "An error occurred on the server side."),
}
_INTERNAL_DEFAULT = ErrorAnswer("InternalFailure", 500, _WORDS)

# Signing name -> boto3's name of the service, where they differ.
_SERVICE_NAMES = {"monitoring": "cloudwatch", "tagging": "resourcegroupstaggingapi"}


def service_name(signing_name: str) -> str:
    """boto3's name of the service that a request is signed for."""
    return _SERVICE_NAMES.get(signing_name, signing_name)


def throttling(service: str) -> ErrorAnswer:
    """How a service says that it is asked too often."""
    return _THROTTLING.get(service, _THROTTLING_DEFAULT)


def internal(service: str) -> ErrorAnswer:
    """How a service says that it failed."""
    return _INTERNAL.get(service, _INTERNAL_DEFAULT)
