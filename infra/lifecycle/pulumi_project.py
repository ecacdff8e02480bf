"""The Pulumi CLI, as the commands use it: one class per project, one method per CLI command.

`pulumi` is taken from PATH and run in the project's directory, and it alone writes stack files.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from infra.lifecycle import checkout, left_processes, processes
from infra.lifecycle.checkout import ProjectFiles
from infra.lifecycle.errors import LifecycleError
from infra.lifecycle.half_made import PendingCreate
from infra.lifecycle.lost import PlannedCreate
from infra.lifecycle.state_additions import imported, with_added

# Dots of waiting, and the CLI's advice to do by hand what these commands do next.
_NOT_SHOWN = (
    "@ ",
    "View ",
    "The resources in the stack have been deleted",
    "If you want to remove the stack",
)

# Of the engine's refusal to touch a stack on which another run is at work.
_LOCKED, _HOLDER = "the stack is currently locked by", ": created by "
# Of the CLI's answer about a stack that its backend does not have.
_UNKNOWN = "no stack named"

_KMS_KEY = "aws:kms/key:Key"

OnLine = Callable[[str], None]

_QUICK_SECONDS = 120
# The whole program and a question to each plugin; some seconds, minutes on a busy machine.
_PREVIEW_SECONDS = 600
_RUN = ("--yes", "--skip-preview", "--non-interactive", "--color", "never", "--suppress-outputs")


def backend_url(directory: Path = checkout.ROOT) -> str:
    """The state backend that the engine uses: of the environment, or of the last `pulumi login`.

    Args:
        directory: of the project: the engine runs there, and finds a relative path from there.
    """
    command = ("pulumi", "whoami", "--verbose", "--json")
    given = os.environ.get("PULUMI_BACKEND_URL") or str(
        json.loads(processes.output(command, directory=directory))["url"]
    )
    parts = urlsplit(given)
    path = parts.netloc + parts.path
    if parts.scheme != "file" or path.startswith(("/", "~")):
        return given
    return parts._replace(netloc="", path=str(directory.absolute() / path)).geturl()


@dataclass(frozen=True)
class PulumiProject:
    """One Pulumi project in `directory`."""

    directory: Path

    def stacks(self) -> list[str]:
        """Names of the stacks that the state backend knows, of this project.

        Raises:
            LifecycleError: the backend can't be read; one checkpoint that is cut off is enough.
        """
        try:
            listed = json.loads(self._output("stack", "ls", "--json"))
        except LifecycleError as error:
            raise LifecycleError(
                error.message,
                f"{error.next_step} If a run was killed, its checkpoint may be cut off: `airflow-env recover "
                "STACK` of that run's environment mends it.",
            ) from error
        return sorted(str(stack["name"]).rsplit("/", 1)[-1] for stack in listed)

    def select(self, stack: str) -> None:
        """Make `stack` in the backend unless it is there; its file says what encrypts its secrets.

        `stack select --create` does not look at that line, and takes a passphrase. One in the environment
        wins: who sets it, as the embedded cloud does, has no use for the account's key.
        """
        files = ProjectFiles(self.directory)
        provider = files.secrets_provider(stack) if files.path(stack).is_file() else None
        if provider is not None and not passphrase_given() and stack not in self.stacks():
            self._output("stack", "init", stack, "--secrets-provider", provider, "--non-interactive")
        self._output("stack", "select", "--create", stack, "--non-interactive")

    def outputs(self, stack: str) -> dict[str, Any]:
        """The stack's outputs, secrets masked; empty when there is no such stack or nothing was deployed."""
        if stack not in self.stacks():
            return {}
        values = json.loads(self._output("stack", "output", "--json", "--stack", stack))
        return values if isinstance(values, dict) else {}

    def outputs_of_another(self, reference: str) -> dict[str, Any]:
        """Outputs of any project's stack, secrets masked; empty when there is no such stack.

        Args:
            reference: its whole name, organization/project/stack.

        Raises:
            LifecycleError: the backend does not give it.
        """
        try:
            values = json.loads(self._output("stack", "output", "--json", "--stack", reference))
        except LifecycleError as error:
            if _UNKNOWN in error.message:
                return {}
            raise
        return values if isinstance(values, dict) else {}

    def protected(self, stack: str) -> list[str]:
        """Names, as type::name, of resources that refuse deletion."""
        return self._marked(stack, "protect")

    def retained(self, stack: str) -> list[str]:
        """Names, as type::name, of resources that stay in the cloud when the stack goes."""
        return self._marked(stack, "retainOnDelete")

    def keys(self, stack: str) -> list[str]:
        """ARNs of the KMS keys that go with the stack: from then on each waits days for its deletion."""
        return [
            str(item["outputs"]["arn"])
            for item in self.resources(stack)
            if item.get("type") == _KMS_KEY and item.get("outputs") and not item.get("retainOnDelete")
        ]

    def resources(self, stack: str) -> list[dict[str, Any]]:
        """All resources of the state as it keeps them, secrets encrypted."""
        return list(self._state(stack).get("resources") or [])

    def _marked(self, stack: str, option: str) -> list[str]:
        return ["::".join(item["urn"].split("::")[2:]) for item in self.resources(stack) if item.get(option)]

    def ids(self, stack: str) -> set[str]:
        """Ids, as the providers gave them, of all resources in the state."""
        return {str(item["id"]) for item in self.resources(stack) if item.get("id")}

    def pending_creates(self, stack: str) -> list[PendingCreate]:
        """Resources that a killed run began to make."""
        operations = self._state(stack).get("pending_operations") or []
        return [
            PendingCreate(
                item["resource"]["urn"], item["resource"]["type"], item["resource"].get("inputs", {})
            )
            for item in operations
            if item["type"] == "creating"
        ]

    def urns(self, stack: str) -> set[str]:
        """URNs of all resources in the state."""
        return {str(item["urn"]) for item in self._state(stack).get("resources") or []}

    def types(self, stack: str) -> set[str]:
        """Types of all resources in the state."""
        return {str(item["type"]) for item in self._state(stack).get("resources") or []}

    def planned_creates(self, stack: str) -> list[PlannedCreate]:
        """Resources that the program would make, parents and dependencies first, as a preview tells.

        Raises:
            LifecycleError: the preview failed.
        """
        command = ("preview", "--json", "--non-interactive", "--stack", stack)
        steps = json.loads(self._output(*command, seconds=_PREVIEW_SECONDS))["steps"]
        return [PlannedCreate(step["newState"]) for step in steps if step["op"] == "create"]

    def take_in(self, stack: str, found: Sequence[tuple[PlannedCreate, str]]) -> None:
        """Write resources and their ids into the state; a refresh fills in the rest."""
        self._add(stack, self._exported(stack), [imported(planned.resource, id_) for planned, id_ in found])

    def cancel(self, stack: str) -> None:
        """Release the stack's locks."""
        self._output("cancel", "--yes", "--stack", stack)

    def adopt(self, stack: str, ids: Mapping[str, str]) -> None:
        """Take resources that a killed run began to make into the state; forget the others that it began.

        What the state says of them is their inputs; a refresh fills in the rest, or finds that there is none.
        (The CLI's own option for this loses resources without a word, up to 3.255.)

        Args:
            stack: name of the stack.
            ids: URN -> id of resources that may have been made.
        """
        exported = self._exported(stack)
        if exported["deployment"] is None:
            # A stack that was made and never deployed, by a run that was killed at its beginning.
            return
        operations = exported["deployment"].pop("pending_operations", None) or []
        begun = [item["resource"] for item in operations if item["type"] == "creating"]
        made = [imported(resource, ids[resource["urn"]]) for resource in begun if resource["urn"] in ids]
        self._add(stack, exported, made)

    def refresh(self, stack: str, on_line: OnLine) -> None:
        """Read all resources anew.

        Raises:
            LifecycleError: a resource can't be read.
        """
        if self._change("refresh", stack, on_line):
            raise LifecycleError(
                f"`pulumi refresh --stack {stack}` failed.",
                "Mend what the diagnostics above name, then run the same command again.",
            )

    def up(self, stack: str, on_line: OnLine, variables: Mapping[str, str] | None = None) -> None:
        """Deploy; every line of the CLI goes to `on_line`.

        `variables` are added to the environment of this run alone.

        Raises:
            LifecycleError: the deployment failed.
        """
        if self._change("up", stack, on_line, variables):
            raise LifecycleError(
                f"`pulumi up --stack {stack}` failed; what it did until then stays, and is in its state.",
                "Mend what the diagnostics above name, then run the same command again; it resumes.",
            )

    def destroy(self, stack: str, on_line: OnLine) -> None:
        """Delete all resources of the stack.

        Raises:
            LifecycleError: a deletion failed.
        """
        if self._change("destroy", stack, on_line):
            raise LifecycleError(
                f"`pulumi destroy --stack {stack}` failed; what is left is in its state.",
                "Mend what the diagnostics above name, then run the same command again.",
            )

    def remove(self, stack: str) -> None:
        """Remove the empty stack from the backend; its file in the checkout stays."""
        self._output("stack", "rm", "--yes", "--preserve-config", "--non-interactive", "--stack", stack)

    def _change(
        self, verb: str, stack: str, on_line: OnLine, variables: Mapping[str, str] | None = None
    ) -> int:
        """Run a verb that changes the state; its exit code.

        Raises:
            LifecycleError: another run holds the stack. The engine's own advice, to delete the lock, is kept
                back: it does not look whether that run is alive. Or the engine was killed.
        """
        refusal: list[str] = []

        def relay(line: str) -> None:
            if refusal or _LOCKED in line:
                refusal.append(line)
            else:
                on_line(line)

        command = ("pulumi", verb, "--stack", stack, *_RUN)
        marked = {**(variables or {}), **left_processes.mark(self.directory, stack)}
        code = processes.stream(command, relay, directory=self.directory, variables=marked)
        if code and refusal:
            raise LifecycleError(
                f"{stack} is locked by {_holders(refusal)}: somebody is at work on it. `pulumi {verb}` "
                "changed nothing.",
                "Wait until that has ended, then run the same command again. If its process is dead, "
                "`airflow-env recover STACK` of the environment releases the lock.",
            )
        if killer := processes.killed_by(code):
            left_processes.end(self.directory, stack)
            raise LifecycleError(
                f"`pulumi {verb} --stack {stack}` was killed ({killer.name}), as it is when "
                "memory runs out: what was in progress may be half made, and its lock is left.",
                "`airflow-env recover STACK` of the environment finds that; then run the same command again.",
            )
        return code

    def _state(self, stack: str) -> dict[str, Any]:
        return dict(self._exported(stack).get("deployment") or {})

    def _exported(self, stack: str) -> dict[str, Any]:
        return dict(json.loads(self._output("stack", "export", "--stack", stack)))

    def _add(self, stack: str, exported: Mapping[str, Any], added: Sequence[Mapping[str, Any]]) -> None:
        """Write an exported state back, with these resources in it."""
        state = exported["deployment"]
        # An empty state has no list of resources.
        state["resources"] = with_added(state.get("resources") or [], added)
        self._output("stack", "import", "--stack", stack, stdin=json.dumps(exported))

    def _output(self, *arguments: str, stdin: str = "", seconds: float = _QUICK_SECONDS) -> str:
        return processes.output(
            ("pulumi", *arguments), directory=self.directory, timeout_seconds=seconds, stdin=stdin
        )


def _holders(refusal: Sequence[str]) -> str:
    """Who holds a stack, in the engine's words, such as `root@host (pid 7) at 2026-01-02T03:04:05Z`."""
    said = [line.partition(_HOLDER)[2].strip() for line in refusal if _HOLDER in line]
    return "; ".join(said) or "another run"


def passphrase_given() -> bool:
    """Whether the environment has a passphrase that encrypts secrets of stacks.

    https://www.pulumi.com/docs/iac/cli/environment-variables/
    """
    return bool({"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"} & os.environ.keys())


def progress_line(line: str, seconds: float) -> str | None:
    """What to show of one line of the CLI, `seconds` after the start; None for lines that say nothing."""
    text = line.rstrip()
    if not text.strip() or text.strip().startswith(_NOT_SHOWN):
        return None
    return f"{seconds:7.1f} s  {text}"
