"""The mirror that the engine runs in: same content, and the checkout stays clean. Judged by git and by the
files; a shell script plays the engine."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path

import pytest
import yaml
from embedded.identity import CloudIdentity
from embedded.project_view import ProjectView, run_engine, split_working_directory

_STACK = "# sizes of staging\nconfig:\n  airflow:size:   small # odd blanks\n"


@pytest.fixture
def identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CloudIdentity:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    checkout = tmp_path / "checkout"
    for project in (checkout, checkout / "cluster"):
        project.mkdir()
        (project / "Pulumi.yaml").write_text("name: x\nruntime: python\n")
        (project / "Pulumi.staging.yaml").write_text(_STACK)
    (checkout / "infra").mkdir()
    (checkout / "infra" / "module.py").write_text("1\n")
    _git(checkout, "init", "--quiet")
    _git(checkout, "add", "--all")
    _git(checkout, "-c", "user.name=t", "-c", "user.email=t@example", "commit", "--quiet", "-m", "t")
    return CloudIdentity.of(checkout)


def _git(checkout: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(checkout), *arguments], check=True, capture_output=True, text=True
    ).stdout


def _script(identity: CloudIdentity, script: str) -> Path:
    """An engine that is a shell script."""
    engine = identity.checkout.parent / "engine"
    engine.write_text(f"#!/bin/sh\n{script}\n")
    engine.chmod(0o755)
    return engine


Engine = Callable[..., tuple[int, str]]


@pytest.fixture
def engine(identity: CloudIdentity, capfd: pytest.CaptureFixture[str]) -> Iterator[Engine]:
    """Runs a shell script in the engine's place from a directory of the checkout: exit code and output."""

    def run(script: str, place: str = ".", *arguments: str) -> tuple[int, str]:
        capfd.readouterr()
        with chdir(identity.checkout / place):
            code = run_engine(identity, _script(identity, script), arguments)
        return code, capfd.readouterr().out

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


def _process(
    identity: CloudIdentity, script: str, place: str = ".", *arguments: str
) -> subprocess.CompletedProcess[str]:
    """The same in a process, as the `pulumi` of `embedded run` would start it."""
    module = [sys.executable, "-P", "-m", "embedded.project_view"]
    options = ["--checkout", str(identity.checkout), "--engine", str(_script(identity, script))]
    return subprocess.run(
        [*module, *options, "--", *arguments],
        cwd=identity.checkout / place,
        capture_output=True,
        text=True,
        check=False,
    )


def _add_salt(value: str, file: str = "Pulumi.staging.yaml") -> str:
    return f"echo 'encryptionsalt: v1:{value}' >> {file}"


def test_a_salt_stays_with_the_cloud_and_comes_back(identity: CloudIdentity, engine: Engine) -> None:
    assert engine(_add_salt("one"))[0] == 0
    assert _git(identity.checkout, "status", "--porcelain") == ""
    seen = yaml.safe_load(engine("cat Pulumi.staging.yaml")[1])
    assert seen == {"config": {"airflow:size": "small"}, "encryptionsalt": "v1:one"}


def test_projects_have_salts_of_their_own(identity: CloudIdentity, engine: Engine) -> None:
    engine(_add_salt("root"))
    engine(_add_salt("cluster"), "cluster")
    assert "v1:root" in engine("cat Pulumi.staging.yaml")[1]
    assert "v1:cluster" in engine("cat Pulumi.staging.yaml", "cluster")[1]


def test_a_change_of_the_checkout_reaches_the_engine_with_the_salt(
    identity: CloudIdentity, engine: Engine
) -> None:
    engine(_add_salt("one"))
    file = identity.checkout / "Pulumi.staging.yaml"
    file.write_text(_STACK.replace("small", "large"))
    seen = yaml.safe_load(engine("cat Pulumi.staging.yaml")[1])
    assert seen == {"config": {"airflow:size": "large"}, "encryptionsalt": "v1:one"}


def test_a_salt_of_the_checkout_itself_is_neither_used_nor_lost(
    identity: CloudIdentity, engine: Engine
) -> None:
    file = identity.checkout / "Pulumi.staging.yaml"
    file.write_text(f"secretsprovider: awskms://alias/x\n{_STACK}encryptionsalt: v1:real\n")
    assert "real" not in engine("cat Pulumi.staging.yaml")[1]
    engine("echo 'config: {airflow:size: tiny}' > Pulumi.staging.yaml; " + _add_salt("own"))
    kept = yaml.safe_load(file.read_text())
    assert kept == {
        "config": {"airflow:size": "tiny"},
        "secretsprovider": "awskms://alias/x",
        "encryptionsalt": "v1:real",
    }


def test_a_new_setting_goes_to_the_checkout_and_a_reformatted_file_does_not(
    identity: CloudIdentity, engine: Engine
) -> None:
    engine("printf 'config:\\n  airflow:size: small\\n' > Pulumi.staging.yaml")
    assert _git(identity.checkout, "status", "--porcelain") == ""
    engine("printf 'config:\\n  airflow:size: huge\\n' > Pulumi.pr-7.yaml; " + _add_salt("x"))
    new = identity.checkout / "Pulumi.pr-7.yaml"
    assert yaml.safe_load(new.read_text()) == {"config": {"airflow:size": "huge"}}


def test_a_removed_stack_takes_its_own_file_and_no_committed_one(
    identity: CloudIdentity, engine: Engine
) -> None:
    (identity.checkout / "Pulumi.pr-7.yaml").write_text("config: {airflow:size: huge}\n")
    engine("rm Pulumi.pr-7.yaml Pulumi.staging.yaml")
    assert not (identity.checkout / "Pulumi.pr-7.yaml").exists()
    assert (identity.checkout / "Pulumi.staging.yaml").read_text() == _STACK


def test_a_stack_file_that_was_deleted_does_not_come_back(identity: CloudIdentity, engine: Engine) -> None:
    own = identity.checkout / "Pulumi.mine.yaml"
    own.write_text(_STACK)
    assert engine("true")[0] == 0
    own.unlink()
    assert engine("ls Pulumi.*.yaml")[1] == "Pulumi.staging.yaml\n"
    assert not own.exists()
    # One that a command has made is no deleted one, and stays.
    assert engine("cp Pulumi.staging.yaml Pulumi.mine.yaml")[0] == 0
    assert own.exists()
    assert engine("test -f Pulumi.mine.yaml")[0] == 0


def test_files_that_a_command_writes_arrive_in_the_checkout(identity: CloudIdentity, engine: Engine) -> None:
    engine("echo plan > plan.json")
    assert (identity.checkout / "plan.json").read_text() == "plan\n"


def test_programs_and_modules_are_the_checkouts_own(identity: CloudIdentity, engine: Engine) -> None:
    engine("true")
    (identity.checkout / "infra" / "module.py").write_text("2\n")
    (identity.checkout / "new.py").write_text("3\n")
    assert engine("cat infra/module.py new.py")[1] == "2\n3\n"
    (identity.checkout / "new.py").unlink()
    assert engine("cat new.py")[0] != 0


@pytest.mark.parametrize(
    ("place", "arguments", "project"),
    [
        (".", [], "."),
        ("infra", [], "infra"),
        ("infra", ["-C", "../cluster"], "cluster"),
        (".", ["--cwd=cluster"], "cluster"),
    ],
)
def test_the_engine_runs_in_the_mirror_of_the_place_it_was_asked_for(
    identity: CloudIdentity, engine: Engine, place: str, arguments: list[str], project: str
) -> None:
    said = engine("echo $PWD", place, *arguments)[1].strip()
    assert Path(said) == ProjectView(identity).root / project


def test_the_cluster_project_finds_the_packages_beside_it(identity: CloudIdentity, engine: Engine) -> None:
    assert engine("cat ../infra/module.py", "cluster")[1] == "1\n"


def test_exit_codes_and_arguments_pass_through(identity: CloudIdentity) -> None:
    done = _process(
        identity, 'printf "%s|" "$@"; exit 7', ".", "up", "--yes", "-m", "two words", "--", "-C", "x"
    )
    assert done.returncode == 7
    assert done.stdout == "up|--yes|-m|two words|--|-C|x|"


def test_outside_of_the_checkout_nothing_is_mirrored(identity: CloudIdentity, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    assert _process(identity, "pwd", "../other").stdout.strip() == str(other)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-C", "a", "up"], ("a", ["up"])),
        (["up", "-Ca"], ("a", ["up"])),
        (["up", "--cwd", "a"], ("a", ["up"])),
        (["up", "--", "--cwd", "a"], (None, ["up", "--", "--cwd", "a"])),
        (["up", "--color", "never"], (None, ["up", "--color", "never"])),
    ],
)
def test_the_working_directory_is_found_in_every_spelling(
    arguments: list[str], expected: tuple[str | None, list[str]]
) -> None:
    assert split_working_directory(arguments) == expected
