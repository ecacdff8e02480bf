"""How `embedded` ends when something is wrong: sentences, and one JSON document for who asked for one."""

from __future__ import annotations

import json
import sys

import pytest
import typer
from embedded.errors import EmbeddedError

from embedded import endings

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def status(as_json: bool = typer.Option(False, "--json")) -> None:
    """A command that the machine refuses."""
    raise EmbeddedError("the disk is full", "make room")


@app.command()
def wait() -> None:
    """A command that is interrupted."""
    raise KeyboardInterrupt


def ended(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    monkeypatch.setattr(sys, "argv", ["embedded", *arguments])
    with pytest.raises(SystemExit) as left:
        endings.run(app)
    return left.value.code


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [(("status", "--json"), 1, "the disk is full"), (("status", "--json", "more"), 2, "more")],
)
def test_a_failure_is_one_json_document(
    arguments: tuple[str, ...],
    code: int,
    error: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ended(monkeypatch, *arguments) == code
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert error in document["error"]
    assert document["next_step"]
    assert error in said.err


@pytest.mark.parametrize("arguments", [("status",), ("status", "--", "--json")])
def test_without_json_stdout_stays_empty(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch, *arguments) in (1, 2)
    assert capsys.readouterr().out == ""


def test_an_interrupt_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch, "wait") == 130
    said = capsys.readouterr()
    assert said.out == ""
    assert "interrupted" in said.err
    assert "again" in said.err
