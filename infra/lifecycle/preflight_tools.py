"""Preflight of what a deployment calls beside the engine: the AWS CLI, and the engine's resource plugins."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from importlib.metadata import version as installed_version
from typing import Any, Final

from infra.lifecycle import processes
from infra.lifecycle.report import Row

# Major version of the AWS CLI -> the oldest whose `aws eks get-token` serves today's kubectl:
# https://docs.aws.amazon.com/eks/latest/userguide/create-kubeconfig.html
AWS_CLI: Final[Mapping[int, tuple[int, int, int]]] = {1: (1, 27, 160), 2: (2, 12, 3)}
# Resource plugin -> the package whose version the engine asks for.
PLUGINS: Final[Mapping[str, str]] = {"aws": "pulumi-aws", "kubernetes": "pulumi-kubernetes"}
# https://www.pulumi.com/docs/iac/cli/environment-variables/
NO_DOWNLOADS: Final = "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"

_SAID = re.compile(r"aws-cli/(\d+)\.(\d+)\.(\d+)")


def aws_cli() -> Row:
    """The AWS CLI on PATH, by which kubectl and the provider get their tokens.

    Raises:
        LifecycleError: there is none, or it does not answer.
    """
    return aws_cli_row(processes.output(("aws", "--version")))


def aws_cli_row(said: str) -> Row:
    """Judge what `aws --version` said."""
    allowed = " or ".join(f"{'.'.join(map(str, oldest))} of {major}" for major, oldest in AWS_CLI.items())
    upgrade = "Install a newer AWS CLI: https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html"
    match = _SAID.search(said)
    if match is None:
        return Row.judged("AWS CLI", False, f"`aws --version` said {said.strip()!r}", upgrade)
    found = int(match[1]), int(match[2]), int(match[3])
    # A major that came later is newer than all that is asked for.
    oldest = AWS_CLI.get(found[0], AWS_CLI[max(AWS_CLI)])
    seen = f"{'.'.join(map(str, found))}; allowed: from {allowed}"
    return Row.judged("AWS CLI", found >= oldest, seen, upgrade)


def plugins() -> Row:
    """The engine's resource plugins, beside the SDKs of this Python.

    Raises:
        LifecycleError: the engine does not answer.
    """
    listed = json.loads(processes.output(("pulumi", "plugin", "ls", "--json")))
    wanted = {name: installed_version(package) for name, package in PLUGINS.items()}
    return plugins_row(listed, wanted, downloads=not _true(os.environ.get(NO_DOWNLOADS)))


def plugins_row(listed: list[dict[str, Any]], wanted: Mapping[str, str], *, downloads: bool) -> Row:
    """Judge what `pulumi plugin ls --json` listed.

    Args:
        listed: its answer.
        wanted: plugin -> version of the installed SDK, which is the version that the engine takes.
        downloads: whether the engine fetches a missing plugin by itself.
    """
    there = {(item["name"], item.get("version")) for item in listed if item.get("kind") == "resource"}
    missing = {name: version for name, version in wanted.items() if (name, version) not in there}
    said = ", ".join(f"{name} {version}" for name, version in wanted.items())
    if not missing:
        return Row.judged("plugins", True, f"{said}, as the Python SDKs")
    absent = ", ".join(f"{name} {version}" for name, version in missing.items())
    if downloads:
        return Row.judged("plugins", True, f"{said}; the engine will download {absent}")
    others = [f"{name} {version}" for name, version in sorted(there, key=str) if name in missing]
    commands = " && ".join(f"pulumi plugin install resource {name} {missing[name]}" for name in missing)
    return Row.judged(
        "plugins",
        False,
        f"missing: {absent}; there: {', '.join(others) or 'none of them'}; {NO_DOWNLOADS} is set",
        f"Run `{commands}`.",
    )


def _true(value: str | None) -> bool:
    return (value or "").lower() in ("1", "true")
