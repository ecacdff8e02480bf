"""The one error that commands show to their user."""

from __future__ import annotations


class LifecycleError(Exception):
    """A command cannot go on: one sentence that says why, and one that says what to do.

    The command line prints both without a traceback and exits with code 1.
    """

    def __init__(self, message: str, next_step: str) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step
