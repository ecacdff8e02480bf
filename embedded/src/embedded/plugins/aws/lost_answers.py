"""Requests whose answer was lost: repeated where that is safe, told where it is not.

A connection that ends after a request was sent says nothing about whether it was served. botocore repeats
it in any case. A request that carries a client token is recognised by AWS, and reading, changing and
deleting can be repeated; creating without a token makes a second resource that no state knows, or ends with
"already exists" for the very resource that was made. Such a request is not repeated: the error says what
may have happened and what to do.
"""

from typing import Any, NoReturn

from botocore.exceptions import BotoCoreError, ConnectionClosedError, ReadTimeoutError, SSLError

_CREATING = ("Create", "Allocate", "Restore", "Copy")
# Writing the same once more is no second resource.
_REPEATABLE = frozenset({"CreateTags", "CreateOrUpdateTags", "CreateTopic"})


class AnswerLostError(BotoCoreError):
    """A request may have been served, and must not be sent again."""

    fmt = (
        "the answer to {operation} was lost ({reason}), so the resource may exist without being in the "
        "state. Look for it in the account; then take it over by `pulumi import`, or delete it there, "
        "before the next run"
    )


def refuse_to_repeat(operation: Any, caught_exception: Exception | None, **_: Any) -> None:
    """botocore's event `needs-retry`: end the call instead of creating something a second time.

    Raises:
        AnswerLostError: the operation creates something and has no client token.
    """
    if caught_exception is not None and _is_ambiguous(caught_exception) and not is_repeatable(operation):
        _lost(operation, caught_exception)


def _lost(operation: Any, cause: Exception) -> NoReturn:
    reason = "no answer in time" if isinstance(cause, ReadTimeoutError) else "the connection was closed"
    raise AnswerLostError(operation=operation.name, reason=reason) from cause


def _is_ambiguous(error: Exception) -> bool:
    """Whether the request was sent: what fails before, such as a refused connection, is no loss."""
    if isinstance(error, SSLError):
        return "EOF" in str(error)
    return isinstance(error, ConnectionClosedError | ReadTimeoutError)


def is_repeatable(operation: Any) -> bool:
    """Whether sending an operation (botocore's model of it) twice has the effect of sending it once."""
    creates = operation.name.startswith(_CREATING) and operation.name not in _REPEATABLE
    return not creates or bool(operation.idempotent_members)
