"""Checks the virtual environment that setup itself runs in; `uv sync` has made it."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import Final

from embedded.errors import EmbeddedError
from embedded.setup.catalogue import PULUMI_VERSION

#: Distributions by name; an empty version means any. pip is there for Pulumi's Python language host, which
#: asks it for the plugins that packages bring.
_REQUIRED: Final = {
    "pulumi": PULUMI_VERSION,
    "pulumi-aws": "",
    "pulumi-kubernetes": "",
    "moto": "",
    "awscli": "",
    "pip": "",
}


def check() -> None:
    """Raises EmbeddedError naming every distribution that is missing or of another version."""
    wrong = []
    for name, version in _REQUIRED.items():
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{name} is missing")
            continue
        if version and found != version:
            wrong.append(f"{name} is {found} instead of {version}")
    if wrong:
        raise EmbeddedError(
            f"The virtual environment {sys.prefix} is not as uv.lock says: {', '.join(wrong)}.",
            "Run `uv sync --all-packages` (with `uv venv --seed` before it when pip is what is missing).",
        )
