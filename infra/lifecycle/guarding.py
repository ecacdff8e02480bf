"""A check that cannot be made is a row too: preflight tells everything at once, and raises nothing."""

from __future__ import annotations

from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError

from infra.lifecycle.errors import LifecycleError, of_the_system
from infra.lifecycle.report import Row

_WHO = (
    "Log in, or let AWS_PROFILE name a profile that is there; `aws sts get-caller-identity` says who you are."
)


def guarded(name: str, check: Callable[[], Row | list[Row]]) -> list[Row]:
    """The rows of `check`; one that cannot be made is a failed row called `name`, with the reason."""
    try:
        found = check()
        return found if isinstance(found, list) else [found]
    except LifecycleError as error:
        return [Row.judged(name, False, error.message, error.next_step)]
    except (BotoCoreError, ClientError) as error:
        return [Row.judged(name, False, f"AWS can't be asked, or refuses: {error}", _WHO)]
    except OSError as error:
        refused = of_the_system(error)
        return [Row.judged(name, False, refused.message, refused.next_step)]
