"""A stack file for a passing environment, made like another one: for a pull request, or to try something.

It is disposable, has no host of its own, and takes over those Variables and Connections alone that are marked
`shareable`: who can open a pull request must not get the credentials of the environment that it is made like.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

from infra.lifecycle import checkout
from infra.lifecycle.errors import LifecycleError

# https://www.pulumi.com/docs/iac/concepts/stacks/#create-a-stack
_STACK_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_PARAMETERS: Final = ("variables", "connections")
# What belongs to one environment alone: its address, its identity, what it was restored from.
_OWN: Final = ("access", "deploymentId", "retire", "alarms")


def derive(stack: str, source: str) -> tuple[Path, list[str]]:
    """Write the file of `stack` after that of `source`.

    Returns:
        The file, and the parameters that were left out, as variables.NAME and connections.NAME.

    Raises:
        LifecycleError: `stack` is no name; `source` has no file or a wrong one; or `stack` has a file that
            says something else.
    """
    if not _STACK_NAME.fullmatch(stack):
        raise LifecycleError(
            f"{stack!r} is no name of a stack; allowed: up to 100 letters, digits, _ . and -.",
            "Take another.",
        )
    files = checkout.environment_files()
    content, left_out = derived(files.document(source), files)
    target = files.path(stack)
    # JSON is YAML, in which no text is taken for anything else.
    body = json.dumps(content, indent=2, ensure_ascii=False)
    text = f"# Made like {source} by `airflow-env derive`.\n{body}\n"
    if target.exists() and target.read_text(encoding="utf-8") != text:
        raise LifecycleError(
            f"{target.name} is there already, and says something else.", "Remove it, or take another name."
        )
    target.write_text(text, encoding="utf-8")
    return target, left_out


def derived(document: dict[str, Any], files: checkout.ProjectFiles) -> tuple[dict[str, Any], list[str]]:
    """Return what a stack file of a passing environment holds, and which parameters were left out."""
    namespace = files.name
    # The engine takes keys without a namespace for the project's own.
    given = {files.qualified(key): value for key, value in (document.get("config") or {}).items()}
    config = {key: value for key, value in given.items() if key.partition(":")[2] not in _OWN}
    left_out: list[str] = []
    for kind in _PARAMETERS:
        entries = given.get(f"{namespace}:{kind}")
        if entries is None:
            continue
        if not isinstance(entries, dict):
            # A text of JSON, as the engine takes one, too.
            left_out.append(kind)
            del config[f"{namespace}:{kind}"]
            continue
        shared = {
            name: entry
            for name, entry in entries.items()
            if isinstance(entry, dict) and entry.get("shareable") is True
        }
        left_out += [f"{kind}.{name}" for name in entries if name not in shared]
        config[f"{namespace}:{kind}"] = shared
    database = config.get(f"{namespace}:database")
    if isinstance(database, dict):
        config[f"{namespace}:database"] = {key: value for key, value in database.items() if key != "restore"}
    config[f"{namespace}:durability"] = "disposable"
    return {**document, "config": config}, left_out
