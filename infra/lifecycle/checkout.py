"""Where the projects are: the environment project at the root of the checkout, the cluster project below."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import yaml

from infra.lifecycle import stack_files
from infra.lifecycle.errors import LifecycleError

# This file is infra/lifecycle/checkout.py of the checkout.
ROOT = Path(__file__).resolve().parents[2]


_Read = TypeVar("_Read")


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
        found = (path.name for path in self.directory.glob("Pulumi.*.yaml"))
        return sorted(name.removeprefix("Pulumi.").removesuffix(".yaml") for name in found)

    def configuration(self, stack: str) -> dict[str, Any]:
        """Configuration of `stack` as the engine reads it: key with its namespace -> value.

        Defaults that the project declares are filled in, as the Pulumi CLI does. An encrypted value is a
        mapping with the one key `secure`.

        Raises:
            LifecycleError: the stack has no file, or its file is no YAML as the engine reads it.
        """
        declared = self._project.get("config") or {}
        defaults = {
            self.qualified(key): declaration["default"]
            for key, declaration in declared.items()
            if isinstance(declaration, dict) and "default" in declaration
        }
        given = self._read(stack, stack_files.read)
        return {**defaults, **{self.qualified(key): value for key, value in given.items()}}

    def document(self, stack: str) -> dict[str, Any]:
        """The whole file of `stack`, as it is written.

        Raises:
            LifecycleError: the stack has no file, or its file is no YAML as the engine reads it.
        """
        return self._read(stack, stack_files.document)

    def secrets_provider(self, stack: str) -> str | None:
        """What encrypts the secrets of `stack` by its file; None where the file doesn't say.

        Raises:
            LifecycleError: the stack has no file, or its file is no YAML.
        """
        return self._read(stack, stack_files.secrets_provider)

    def path(self, stack: str) -> Path:
        """The stack's file, whether or not it is there."""
        return self.directory / f"Pulumi.{stack}.yaml"

    def _read(self, stack: str, reader: Callable[[bytes], _Read]) -> _Read:
        path = self.path(stack)
        if not path.is_file():
            known = ", ".join(self.stack_names()) or "none"
            raise LifecycleError(
                f"There is no stack file {path.name}; stacks with a file: {known}.",
                f"Name one of them, bring one back that was deleted (`git restore {path.name}`), or copy one "
                "and change its parameters.",
            )
        try:
            return reader(path.read_bytes())
        except stack_files.StackFileError as error:
            raise LifecycleError(
                f"{path.name} can't be read; nothing was changed:\n{error}", f"Correct {path.name}."
            ) from None

    def qualified(self, key: str) -> str:
        """The key with its namespace, which is the project's own where none is written."""
        return key if ":" in key else f"{self.name}:{key}"


def environment_files() -> ProjectFiles:
    """The environment project."""
    return ProjectFiles(ROOT)


def cluster_files() -> ProjectFiles:
    """The cluster project; its directory need not exist."""
    return ProjectFiles(ROOT / "cluster")


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
