"""The command line: what a failure prints and where, and that the pages name commands that exist."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from botocore.exceptions import ClientError, NoCredentialsError
from typer.main import get_command

from infra.lifecycle import cli, deployment, processes, recovery_set
from infra.lifecycle.cluster_access import ClusterAccess
from infra.lifecycle.errors import LifecycleError

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
REFUSED = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "ListSecrets")


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    monkeypatch.setattr(sys, "argv", ["airflow-env", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


@pytest.mark.parametrize("error", [NoCredentialsError(), REFUSED, LifecycleError("It is so.", "Do that.")])
def test_a_failure_is_two_sentences_and_one_json_document(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: str) -> None:
        raise error

    monkeypatch.setattr(recovery_set, "of_stack", fail)
    assert run(monkeypatch, "recovery-set", "staging", "--json") == 1
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert document["passed"] is False
    assert document["error"]
    assert f"Next step: {document['next_step']}".split() == said.err[said.err.index("Next step:") :].split()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("canary", "--json"), "stack"),
        (("doctor", "--json", "staging", "--bogus"), "--bogus"),
        (("doctr", "staging", "--json"), "doctr"),
    ],
)
def test_a_mistake_in_the_arguments_is_one_json_document_too(
    arguments: tuple[str, ...],
    named: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, *arguments) == 2
    document = json.loads(capsys.readouterr().out)
    assert document["passed"] is False
    assert named in document["error"]
    assert "--help" in document["next_step"]


@pytest.mark.parametrize(("interrupt", "code"), [(KeyboardInterrupt, 130), (processes.Terminated, 143)])
def test_an_interrupted_command_says_what_to_do(
    interrupt: type[BaseException],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Between two programs that it runs nobody else says a word."""

    def interrupted(_: str) -> None:
        raise interrupt

    monkeypatch.setattr(deployment, "up", interrupted)
    assert run(monkeypatch, "up", "staging") == code
    said = capsys.readouterr()
    assert said.out == ""
    assert "interrupted" in said.err
    assert "Next step: " in said.err


def test_a_place_that_cannot_be_written_is_two_sentences(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fill() -> None:
        raise PermissionError(13, "Permission denied", "/checkout/.charts")

    monkeypatch.setattr(deployment, "fill_chart", fill)
    assert run(monkeypatch, "chart") == 1
    said = capsys.readouterr().err
    assert "/checkout/.charts: Permission denied" in said
    assert "Next step: " in said


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A deployed environment, and an empty directory as PATH."""

    @contextmanager
    def access(*_: str) -> Iterator[ClusterAccess]:
        yield ClusterAccess(tmp_path / "kubeconfig", "airflow-team-a")

    exports = SimpleNamespace(
        release_name="airflow", cluster_name="shared", region="x", namespace="airflow-team-a"
    )
    monkeypatch.setattr(cli.environments, "exports", lambda _: exports)
    monkeypatch.setattr(cli, "cluster_access", access)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_logs_without_kubectl_say_so(cluster: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LifecycleError, match="`kubectl` is not on PATH"):
        cli.logs("team-a", "scheduler")


@pytest.mark.parametrize("follow", [False, True])
def test_logs_follow_more_pods_than_kubectl_would_by_itself(
    cluster: Path, monkeypatch: pytest.MonkeyPatch, follow: bool
) -> None:
    """Five is its own limit, beyond which it ends at once."""
    told = cluster / "told"
    kubectl = cluster / "kubectl"
    kubectl.write_text(f'#!/bin/sh\nfor word in "$@"; do echo "$word" >> {told}; done\n')
    kubectl.chmod(0o755)
    with pytest.raises(typer.Exit):
        cli.logs("team-a", "scheduler", follow=follow)
    limits = [line for line in told.read_text().splitlines() if line.startswith("--max-log-requests=")]
    assert [int(limit.partition("=")[2]) > 20 for limit in limits] == [True] * follow
    assert ("--follow" in told.read_text()) is follow


def test_without_json_a_failure_leaves_stdout_empty(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "config", "no-such-stack") == 1
    assert capsys.readouterr().out == ""


def test_without_a_password_the_command_for_it_says_how_people_log_in(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Single sign-on: no administrator was made, and the environment exports no Secret of one."""
    oidc = SimpleNamespace(issuer="https://login.example.com")
    chosen = SimpleNamespace(access=SimpleNamespace(oidc=oidc))
    monkeypatch.setattr(cli.environments, "exports", lambda _: SimpleNamespace(admin_secret_name=""))
    monkeypatch.setattr(cli.environments, "settings", lambda _: chosen)
    assert run(monkeypatch, "password", "staging") == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "People log in by https://login.example.com; there is no password." in said.err
    assert "Next step: `airflow-env open staging`" in said.err


def named_commands() -> list[tuple[str, str]]:
    """Page and command line, for each `airflow-env ...` in the pages' code."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for code in re.findall(r"`([^`\n]+)`", text) + re.findall(r"^ *([a-z][^|\n]*)$", text, re.MULTILINE):
            match = re.search(r"(?:^|-- |`|run: )(airflow-env [a-z][^#`;&|)]*)", code)
            if match:
                found.append((page.name, match[1].strip().rstrip(".,")))
    return found


def test_pages_name_commands_and_options_that_exist() -> None:
    app = get_command(cli.app)
    assert isinstance(app, typer.core.TyperGroup)
    lines = named_commands()
    assert len(lines) > 30
    wrong = []
    for page, line in lines:
        _, name, *rest = line.rstrip(":").split()
        command = app.commands.get(name)
        options = {option for item in command.params for option in item.opts} if command else set()
        if command is None or [word for word in rest if word.startswith("--") and word not in options]:
            wrong.append((page, line))
    assert wrong == []


def test_every_command_and_parameter_is_described() -> None:
    app = get_command(cli.app)
    assert isinstance(app, typer.core.TyperGroup)
    for name, command in app.commands.items():
        assert len(command.help or "") > 20, name
        assert all(getattr(item, "help", None) for item in command.params if item.name != "help"), name
