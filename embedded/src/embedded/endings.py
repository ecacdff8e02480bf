"""How a command ends that does not succeed: what it says, and the JSON document for who asked for one."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable
from typing import NoReturn

from embedded.errors import EmbeddedError

# What Typer exits with after a mistake in the arguments.
_MISUSED = 2


def run(app: Callable[[], object]) -> None:
    """Run a Typer application; mistakes and interrupts are told without a traceback.

    Exit codes: 1 for what can't be done, 2 for a mistake in the arguments, 130 after Ctrl-C.
    """
    try:
        app()
    except EmbeddedError as error:
        _print_json(error.message, error.next_step)
        _say(str(error), 1)
    except SystemExit as ended:
        # Typer leaves by way of what it found.
        found = ended.__context__
        if found is not None and isinstance(found.__cause__, KeyboardInterrupt):
            _say(
                f"{EmbeddedError('interrupted; what is finished is kept', 'run the same command again')}",
                ended.code,
            )
        said = getattr(found, "format_message", None)
        if ended.code == _MISUSED and said is not None:
            _print_json(str(said()), "see `embedded --help`")
        raise


def _say(text: str, code: int | str | None) -> NoReturn:
    print(f"embedded: {text}", file=sys.stderr)
    sys.exit(code)


def _print_json(message: str, next_step: str) -> None:
    """On stdout, if --json is among the command's own arguments: behind `--` are another command's."""
    own = itertools.takewhile(lambda word: word != "--", sys.argv[1:])
    if "--json" in own:
        print(json.dumps({"error": message, "next_step": next_step}, indent=2))
