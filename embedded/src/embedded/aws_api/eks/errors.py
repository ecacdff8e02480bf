"""EKS's errors, with the messages AWS gives."""

from typing import NoReturn

from moto.eks import exceptions


def in_use(message: str, cluster: str) -> NoReturn:
    """Raise ResourceInUseException (409)."""
    raise exceptions.ResourceInUseException(clusterName=cluster, message=message)


def not_found(message: str, cluster: str | None = None) -> NoReturn:
    """Raise ResourceNotFoundException (404)."""
    raise exceptions.ResourceNotFoundException(clusterName=cluster, message=message)


def invalid_parameter(message: str, cluster: str | None = None) -> NoReturn:
    """Raise InvalidParameterException (400)."""
    raise exceptions.InvalidParameterException(clusterName=cluster, message=message)


def invalid_request(message: str, cluster: str | None = None) -> NoReturn:
    """Raise InvalidRequestException (400)."""
    raise exceptions.InvalidRequestException(clusterName=cluster, message=message)
