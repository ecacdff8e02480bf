"""Mistakes and failures that the person at the keyboard can act on."""

from __future__ import annotations


class EmbeddedError(Exception):
    """What went wrong in one clear sentence, and what to do about it.

    The command line prints both without a traceback and exits with 1.
    """

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message}\n  next step: {self.next_step}" if self.next_step else self.message


class NotReady(EmbeddedError):  # noqa: N818 -- a state that is waited for, not a failure by itself
    """A part does not answer yet; raised by `Part.ready` until it does."""
