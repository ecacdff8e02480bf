"""`embedded setup` as a whole, with steps that cost nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from embedded.setup import catalogue, command, preconditions, python_environment
from embedded.setup.cache import Artifact
from embedded.setup.shell import Shell, StepFailed
from embedded.setup.steps import Step


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache on a machine that fits."""
    cache = tmp_path / "cache"
    monkeypatch.setenv("AIRFLOW_IAC_CACHE", str(cache))
    monkeypatch.setattr(preconditions, "check", lambda facts, node: None)
    monkeypatch.setattr(python_environment, "check", lambda: None)
    monkeypatch.setattr(catalogue, "artifacts", lambda: [TOOL])
    return cache


TOOL = Artifact("tools", "tool", "key", ("tool",))


def make(_: Shell) -> None:
    with TOOL.made_aside() as aside:
        (aside / "tool").write_text("made")


def use_steps(monkeypatch: pytest.MonkeyPatch, *runs: tuple[str, Callable[[Shell], None]]) -> None:
    steps = [Step(name, f"for {name}", 1, TOOL.is_complete, run) for name, run in runs]
    monkeypatch.setattr(command, "all_steps", lambda: steps)


def refused(shell: Shell) -> None:
    raise StepFailed("The Go module proxy answered 403 for x/y@v1.", "Have it allowed.", ("line 1", "line 2"))


def test_what_is_missing_is_made_and_then_nothing_is_left_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use_steps(monkeypatch, ("tool", make))
    assert command.check_setup() == 1
    assert command.run_setup() == 0
    assert TOOL.path("tool").read_text() == "made"
    assert command.check_setup() == 0
    capsys.readouterr()
    assert command.run_setup() == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_failure_is_told_with_the_last_lines_and_the_next_step(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use_steps(monkeypatch, ("bad", refused), ("tool", make))
    assert command.run_setup() == 1
    told = capsys.readouterr().err
    for words in (
        "line 2",
        "bad: The Go module proxy answered 403 for x/y@v1.",
        "next step: Have it allowed.",
    ):
        assert words in told
    assert "Traceback" not in told
    assert TOOL.is_complete(), "what could be made is kept"


def test_json_output_is_one_object_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use_steps(monkeypatch, ("bad", refused), ("tool", make))
    command.run_setup(as_json=True)
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (failed,) = [record for record in records if record.get("state") == "failed"]
    assert failed["step"] == "bad"
    assert failed["error"].startswith("The Go module proxy answered 403")
    assert failed["next_step"]


def test_build_caches_go_only_when_everything_is_there(
    monkeypatch: pytest.MonkeyPatch, machine: Path
) -> None:
    object_file = machine / "build" / "gocache" / "00" / "object"

    def build_and(then: Callable[[Shell], None]) -> Callable[[Shell], None]:
        def run(shell: Shell) -> None:
            object_file.parent.mkdir(parents=True, exist_ok=True)
            object_file.write_text("compiled")
            then(shell)

        return run

    use_steps(monkeypatch, ("tool", build_and(refused)))
    assert command.run_setup() == 1
    assert object_file.exists()
    use_steps(monkeypatch, ("tool", build_and(make)))
    assert command.run_setup(keep_build_cache=True) == 0
    assert object_file.exists()
    assert command.run_setup() == 0
    assert not object_file.exists()


def test_an_interruption_is_one_sentence_and_its_own_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    use_steps(monkeypatch, ("tool", make))
    monkeypatch.setattr(command.Runner, "run", interrupt)
    assert command.run_setup() == 130
    assert "make setup" in capsys.readouterr().out


def test_check_touches_nothing(monkeypatch: pytest.MonkeyPatch, machine: Path) -> None:
    use_steps(monkeypatch, ("tool", make))
    assert command.check_setup() == 1
    assert not machine.exists()
