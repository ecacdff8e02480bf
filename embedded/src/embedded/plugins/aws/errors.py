"""AWS's errors as sentences: which resource, which step, AWS's code and message."""

from collections.abc import Iterator
from contextlib import contextmanager

from embedded.plugins.common.errors import PluginError


def code_of(error: Exception) -> str:
    """AWS's error code, or "" for an error that is not AWS's."""
    response = getattr(error, "response", None)
    if not isinstance(response, dict):
        return ""
    return str(response.get("Error", {}).get("Code", ""))


def describe(error: Exception) -> str:
    """AWS's code and message, as `Code: message (Operation)`."""
    code = code_of(error)
    if not code:
        return f"{type(error).__name__}: {error}"
    message = getattr(error, "response", {}).get("Error", {}).get("Message", "")
    return f"{code}: {message} ({getattr(error, 'operation_name', 'unknown operation')})"


@contextmanager
def naming(step: str, token: str, name: str) -> Iterator[None]:
    """Turn a failure inside into a PluginError that names step, type and logical name."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise PluginError(f"{step} {token} '{name}': {describe(error)}") from error
    except PluginError as error:
        if str(error).startswith(f"{step} {token}"):
            raise
        raise PluginError(f"{step} {token} '{name}': {error}") from error
