"""Put the cloud's own resource plugins where the Pulumi engine looks for plugins.

A plugin is a directory `plugins/resource-<name>-v<version>` of the engine's home. The engine takes the
version that the program's SDK names, so the directories carry the versions of the installed SDKs.
"""

import shlex
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Final

PLUGINS: Final[Mapping[str, str]] = MappingProxyType({"aws": "pulumi-aws", "kubernetes": "pulumi-kubernetes"})
"""Plugin name -> distribution of the SDK that asks for it. The module is `embedded.plugins.<name>`."""


def _write_if_changed(path: Path, text: str, mode: int) -> None:
    # An engine may be running from this very file: it is replaced only when it has to be, and at once.
    if path.is_file() and path.read_text() == text and path.stat().st_mode & 0o777 == mode:
        return
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text)
    fresh.chmod(mode)
    fresh.replace(path)


def plugin_directory(pulumi_home: Path, name: str) -> Path:
    """Where the engine looks for the plugin of that name, at the installed SDK's version."""
    return pulumi_home / "plugins" / f"resource-{name}-v{version(PLUGINS[name])}"


def install(pulumi_home: Path) -> None:
    """Install both plugins into an engine's home; calling it again changes nothing."""
    for name in PLUGINS:
        directory = plugin_directory(pulumi_home, name)
        directory.mkdir(parents=True, exist_ok=True)
        launcher = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m embedded.plugins.{name} "$@"\n'
        _write_if_changed(directory / f"pulumi-resource-{name}", launcher, 0o755)
        # Left beside the directory, either means an unfinished download, which the engine would repeat.
        for suffix in (".lock", ".partial"):
            directory.with_name(directory.name + suffix).unlink(missing_ok=True)
