"""Where the projects are: the environment project at the root of the checkout, the cluster project below."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from infra.lifecycle.errors import LifecycleError

# This file is infra/lifecycle/checkout.py of the checkout.
ROOT = Path(__file__).resolve().parents[2]
# Stands for a text that only the engine can read.
ENCRYPTED = "[secret]"


class ProjectFiles:
    """The files of one Pulumi project: read here, written by the Pulumi CLI alone."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @cached_property
    def _project(self) -> dict[str, Any]:
        path = self.directory / "Pulumi.yaml"
        if not path.is_file():
            raise LifecycleError(
                f"There is no Pulumi project in {self.directory}.", "Run the command in a complete checkout."
            )
        return _mapping(path)

    @property
    def name(self) -> str:
        """The project's name in Pulumi."""
        return str(self._project["name"])

    def stack_names(self) -> list[str]:
        """Names of the stacks that have a file."""
        return sorted(path.name.split(".")[1] for path in self.directory.glob("Pulumi.*.yaml"))

    def configuration(self, stack: str) -> dict[str, Any]:
        """Configuration of `stack`, key -> value, without the project's namespace.

        Defaults that the project declares are filled in, as the Pulumi CLI does. Encrypted keys are left out;
        in the place of an encrypted part of a value stands `ENCRYPTED`.

        Raises:
            LifecycleError: the stack has no file.
        """
        path = self.directory / f"Pulumi.{stack}.yaml"
        if not path.is_file():
            known = ", ".join(self.stack_names()) or "none"
            raise LifecycleError(
                f"There is no stack file {path.name}; stacks with a file: {known}.",
                "Name one of them, or copy one and change its parameters.",
            )
        declared = self._own(self._project.get("config") or {})
        defaults = {
            key: declaration["default"]
            for key, declaration in declared.items()
            if isinstance(declaration, dict) and "default" in declaration
        }
        config = _mapping(path).get("config") or {}
        if not isinstance(config, dict) or not all(isinstance(key, str) for key in config):
            raise LifecycleError(
                f"{path.name}: config is no mapping of texts to values.",
                "Write it as `config:` with lines such as `airflow:owner: my-team` below it.",
            )
        given = self._own(config)
        plain = {key: _readable(value) for key, value in given.items() if not _is_encrypted(value)}
        return {**defaults, **plain}

    def secret_keys(self, stack: str) -> set[str]:
        """Keys of `stack`, as `configuration` names them, that are encrypted or have an encrypted part."""
        config = _mapping(self.directory / f"Pulumi.{stack}.yaml").get("config") or {}
        return {key for key, value in self._own(config).items() if _readable(value) != value}

    def _own(self, values: dict[str, Any]) -> dict[str, Any]:
        """Keys of the project's namespace, without it. Other namespaces belong to Pulumi and providers."""
        own = {key.removeprefix(f"{self.name}:"): value for key, value in values.items()}
        return {key: value for key, value in own.items() if ":" not in key}


def environment_files() -> ProjectFiles:
    """The environment project."""
    return ProjectFiles(ROOT)


def cluster_files() -> ProjectFiles:
    """The cluster project; its directory need not exist."""
    return ProjectFiles(ROOT / "cluster")


def _is_encrypted(value: object) -> bool:
    return isinstance(value, dict) and set(value) == {"secure"}


def _readable(value: Any) -> Any:
    """The value with `ENCRYPTED` in place of what `pulumi config set --secret --path` encrypted in it."""
    if _is_encrypted(value):
        return ENCRYPTED
    if isinstance(value, dict):
        return {key: _readable(part) for key, part in value.items()}
    return [_readable(part) for part in value] if isinstance(value, list) else value


def _mapping(path: Path) -> dict[str, Any]:
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise LifecycleError(f"{path.name} is not YAML: {error}", "Correct the file.") from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise LifecycleError(f"{path.name} holds no mapping.", "Correct the file.")
    return value
