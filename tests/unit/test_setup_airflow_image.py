"""The Airflow image's own files: entrypoint, log groomer and pinned requirements."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from embedded.images import airflow, versions

SOURCES = Path(airflow.__file__).parent
DAY = 86_400


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A PATH on which `airflow` and `python` say how they were called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("airflow", "python"):
        (folder / name).write_text(f'#!/bin/bash\necho "{name}:$*"\numask\n')
        (folder / name).chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["airflow", "db", "check"], "airflow:db check"),
        (["api-server"], "airflow:api-server"),
        (["dags", "list"], "airflow:dags list"),
        (["bash", "-c", "exec airflow scheduler"], "airflow:scheduler"),
        (["python", "-c", "print(1)"], "python:-c print(1)"),
        (["/bin/echo", "a  b"], "a  b"),
        ([], "airflow:"),
    ],
)
def test_the_entrypoint_takes_what_the_chart_gives(programs: Path, arguments: list[str], answer: str) -> None:
    done = subprocess.run(
        ["bash", str(SOURCES / "entrypoint"), *arguments],
        env={"PATH": f"{programs}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[0] == answer


def test_files_made_under_the_entrypoint_are_writable_for_the_group(programs: Path) -> None:
    done = subprocess.run(
        ["bash", str(SOURCES / "entrypoint"), "airflow"],
        env={"PATH": f"{programs}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split()[-1] == "0002"


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "airflow" / "logs"
    folder.mkdir(parents=True)
    return folder


def log(folder: Path, name: str, age_days: float, size: int = 10) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"x" * size)
    when = time.time() - age_days * DAY
    os.utime(file, (when, when))
    return file


def _lives(process: psutil.Process) -> bool:
    """What has ended and waits for init, which looks once a second in some containers, does not live."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def groom(logs: Path, until: Callable[[], bool], **settings: str) -> int:
    """Runs the groomer until the condition holds; its exit code after being asked to end."""
    environment = {"PATH": "/usr/bin:/bin", "AIRFLOW_HOME": str(logs.parent), **settings}
    process = subprocess.Popen(
        ["bash", str(SOURCES / "clean-logs")], env=environment, stdout=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 30
        while not until() and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.2)  # what it would remove beyond the condition
        started = psutil.Process(process.pid).children()
        process.terminate()
        code = process.wait(30)
        deadline = time.monotonic() + 30
        while any(_lives(child) for child in started) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not any(_lives(child) for child in started)
        return code
    finally:
        process.kill()
        process.wait()


def test_old_logs_go_and_young_ones_stay(logs: Path) -> None:
    old = log(logs, "dag_id=a b/run_id=x/it's.log", 2)
    young = log(logs, "dag_id=a b/run_id=y/1.log", 0.4)
    kept = log(logs, "lost+found/1", 99)
    code = groom(logs, lambda: not old.exists(), AIRFLOW__LOG_RETENTION_DAYS="1")
    assert not old.exists()
    assert young.exists()
    assert kept.exists()
    assert code == 0


def test_minutes_and_fractions_of_days_count(logs: Path) -> None:
    old = log(logs, "1.log", 0.30)
    young = log(logs, "2.log", 0.20)
    groom(
        logs,
        lambda: not old.exists(),
        AIRFLOW__LOG_RETENTION_DAYS="0.125",
        AIRFLOW__LOG_RETENTION_MINUTES="180",
    )
    assert (old.exists(), young.exists()) == (False, True)


def test_over_the_size_limit_the_oldest_go_first(logs: Path) -> None:
    files = [log(logs, f"{age}.log", age, 100_000) for age in (3, 2, 1)]
    groom(logs, lambda: not files[0].exists(), AIRFLOW__LOG_MAX_SIZE_BYTES="250000")
    assert [file.exists() for file in files] == [False, True, True]


def test_logs_stay_by_default_for_fifteen_days(logs: Path) -> None:
    old, young = log(logs, "old.log", 15.2), log(logs, "young.log", 14.8)
    groom(logs, lambda: not old.exists())
    assert (old.exists(), young.exists()) == (False, True)


REQUIREMENTS = (SOURCES / "requirements.txt").read_text()
PINS = re.split(r"\n(?=\S)", re.sub(r"(?m)^\s*#.*\n", "", REQUIREMENTS))


def test_every_requirement_is_pinned_with_hashes() -> None:
    pins = [pin for pin in PINS if pin.strip()]
    assert len(pins) > 100
    assert [
        pin for pin in pins if not re.match(r"\S+==\S+ .*--hash=sha256:[0-9a-f]{64}", pin, re.DOTALL)
    ] == []


def test_the_requirements_name_no_index() -> None:
    assert "://" not in REQUIREMENTS
    assert "--index" not in REQUIREMENTS


@pytest.mark.parametrize("file", ["requirements.in", "requirements.txt"])
def test_the_image_holds_the_version_that_its_reference_says(file: str) -> None:
    found = re.findall(r"^apache-airflow(?:\[\S+\])?==(\S+)", (SOURCES / file).read_text(), re.MULTILINE)
    assert found == [versions.AIRFLOW_VERSION]
    assert versions.AIRFLOW_REFERENCE.endswith(f":{versions.AIRFLOW_VERSION}")
