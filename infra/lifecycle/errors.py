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


def of_the_system(error: OSError) -> LifecycleError:
    """What the operating system refused: a checkout may be read-only, a disk full, a file another user's."""
    place = f"{error.filename}: " if error.filename else ""
    return LifecycleError(
        f"{place}{error.strerror or error}.",
        "Run the command where this user may read and write, with room on the disk; run again, it resumes.",
    )
