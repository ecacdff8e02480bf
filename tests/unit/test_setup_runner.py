"""Steps run side by side in the order that they need, and one failure does not hide or stop the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from embedded.errors import EmbeddedError
from embedded.setup.go_build import CONCURRENT_BUILDS
from embedded.setup.runner import Progress, Runner, State
from embedded.setup.shell import Shell, StepFailed
from embedded.setup.steps import Step


def step(
    name: str,
    run: Callable[[Shell], None] = lambda _: None,
    *,
    done: bool = False,
    needs: tuple[str, ...] = (),
    compiles: bool = False,
) -> Step:
    return Step(name, f"purpose of {name}", 1, lambda: done, run, needs, compiles)


def run_all(steps: list[Step], logs: Path) -> tuple[Runner, list[Progress], list[tuple[str, State]]]:
    changes: list[tuple[str, State]] = []
    runner = Runner(steps, logs, lambda progress: changes.append((progress.step.name, progress.state)))
    return runner, runner.run(), changes


def test_a_step_runs_after_those_it_needs(tmp_path: Path) -> None:
    order: list[str] = []

    def note(name: str) -> Callable[[Shell], None]:
        return lambda _: order.append(name)

    steps = [
        step("last", note("last"), needs=("middle",)),
        step("middle", note("middle"), needs=("first",)),
        step("first", note("first")),
    ]
    _, failures, _ = run_all(steps, tmp_path)
    assert failures == []
    assert order == ["first", "middle", "last"]


def test_a_finished_step_is_not_run_and_counts_for_those_that_need_it(tmp_path: Path) -> None:
    ran: list[str] = []
    steps = [
        step("there", lambda _: ran.append("there"), done=True),
        step("new", lambda _: ran.append("new"), needs=("there",)),
    ]
    _, _, changes = run_all(steps, tmp_path)
    assert ran == ["new"]
    assert changes == [("there", State.PRESENT), ("new", State.RUNNING), ("new", State.DONE)]


def test_a_failure_skips_only_the_steps_that_need_it(tmp_path: Path) -> None:
    def fail(_: Shell) -> None:
        raise StepFailed("The proxy answered 403 for x@v1.", "Ask.", ("a last line",))

    steps = [
        step("bad", fail),
        step("dependent", needs=("bad",)),
        step("its dependent", needs=("dependent",)),
        step("other"),
        step("also bad", fail),
    ]
    runner, failures, _ = run_all(steps, tmp_path)
    assert [one.step.name for one in failures] == ["bad", "also bad"]
    states = {name: one.state for name, one in runner.progress.items()}
    assert states == {
        "bad": State.FAILED,
        "dependent": State.SKIPPED,
        "its dependent": State.SKIPPED,
        "other": State.DONE,
        "also bad": State.FAILED,
    }


def test_an_unexpected_error_names_its_log(tmp_path: Path) -> None:
    def fail(_: Shell) -> None:
        raise OSError(28, "No space left on device")

    _, failures, _ = run_all([step("bad", fail)], tmp_path)
    failure = failures[0].failure
    assert isinstance(failure, EmbeddedError)
    assert "No space left on device" in failure.message
    assert str(tmp_path / "bad.log") in failure.next_step


def test_only_so_many_builds_run_at_the_same_time(tmp_path: Path) -> None:
    guard = threading.Lock()
    at_work = 0
    most = 0
    full = threading.Event()

    def compile_something(_: Shell) -> None:
        nonlocal at_work, most
        with guard:
            at_work += 1
            most = max(most, at_work)
            if at_work == CONCURRENT_BUILDS:
                full.set()
        assert full.wait(30), "the allowed number of builds do run side by side"
        time.sleep(0.05)
        with guard:
            at_work -= 1

    steps = [step(f"build {n}", compile_something, compiles=True) for n in range(3 * CONCURRENT_BUILDS)]
    _, failures, _ = run_all(steps, tmp_path)
    assert failures == []
    assert most == CONCURRENT_BUILDS


def test_an_interruption_ends_the_programs_of_all_steps(tmp_path: Path) -> None:
    started = tmp_path / "started"

    def long(shell: Shell) -> None:
        shell.run(["bash", "-c", f"sleep 300 & echo $$ $! > {started}.new; mv {started}.new {started}; wait"])

    def interrupt_when_started() -> None:
        if started.exists():
            raise KeyboardInterrupt

    runner = Runner([step("long", long)], tmp_path, lambda _: None, interrupt_when_started)
    with pytest.raises(KeyboardInterrupt):
        runner.run()
    for pid in map(int, started.read_text().split()):
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
