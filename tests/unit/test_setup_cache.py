"""Finished artefacts are kept by content key, and nothing half-written is ever taken for finished."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from embedded.setup.cache import UNUSED_DAYS, Artifact, cache_root, content_key
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRFLOW_IAC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def artifact(key: str = "k1") -> Artifact:
    return Artifact("tools", "thing", key, ("program", "more/data"))


def fill(folder: Path) -> None:
    (folder / "program").write_text("#!/bin/sh\n")
    (folder / "more").mkdir()
    (folder / "more" / "data").write_text("some data")


def finish(one: Artifact) -> Artifact:
    with one.made_aside() as aside:
        fill(aside)
    return one


texts = st.dictionaries(st.text(max_size=5), st.text(max_size=8), max_size=4)


@given(texts, texts)
def test_different_inputs_have_different_keys(one: dict[str, str], other: dict[str, str]) -> None:
    assert (content_key(dict(one)) == content_key(dict(other))) == (one == other)


def test_the_order_of_inputs_does_not_matter() -> None:
    assert content_key({"a": "1", "b": "2"}) == content_key({"b": "2", "a": "1"})


def test_a_changed_renamed_or_added_file_of_a_folder_changes_the_key(tmp_path: Path) -> None:
    folder = tmp_path / "source"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "main.go").write_text("package main")
    keys = [content_key({"source": folder})]
    (folder / "sub" / "main.go").write_text("package main\n")
    keys.append(content_key({"source": folder}))
    (folder / "sub" / "main.go").rename(folder / "sub" / "other.go")
    keys.append(content_key({"source": folder}))
    (folder / "empty").write_text("")
    keys.append(content_key({"source": folder}))
    assert len(set(keys)) == 4


def test_compiled_python_files_do_not_change_the_key(tmp_path: Path) -> None:
    (tmp_path / "build.py").write_text("x = 1")
    before = content_key({"source": tmp_path})
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "build.cpython-311.pyc").write_bytes(b"compiled")
    assert content_key({"source": tmp_path}) == before


def test_a_finished_artefact_is_complete_and_holds_what_was_made() -> None:
    one = artifact()
    assert not one.is_complete()
    finish(one)
    assert one.is_complete()
    assert one.path("more/data").read_text() == "some data"


def test_another_key_is_another_artefact() -> None:
    finish(artifact("k1"))
    assert not artifact("k2").is_complete()


def test_a_directory_without_its_manifest_is_not_complete() -> None:
    one = artifact()
    one.directory.mkdir(parents=True)
    fill(one.directory)
    assert not one.is_complete()


@pytest.mark.parametrize("damage", ["truncate", "remove", "manifest"])
def test_a_damaged_artefact_is_not_complete_and_is_made_again(damage: str) -> None:
    one = finish(artifact())
    if damage == "truncate":
        os.truncate(one.path("more/data"), 3)
    elif damage == "remove":
        one.path("program").unlink()
    else:
        one.path("manifest.json").write_text('{"sizes": ')
    assert not one.is_complete()
    finish(one)
    assert one.is_complete()
    assert one.path("more/data").read_text() == "some data"


def test_an_error_while_making_leaves_nothing() -> None:
    one = artifact()

    def fail(aside: Path) -> None:
        fill(aside)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), one.made_aside() as aside:
        fail(aside)
    assert list(one.directory.parent.iterdir()) == []


def test_a_build_that_leaves_out_a_promised_file_is_refused() -> None:
    one = artifact()
    with pytest.raises(FileNotFoundError, match="more/data"), one.made_aside() as aside:
        (aside / "program").write_text("")
    assert not one.is_complete()


def test_a_link_to_a_program_that_has_gone_is_not_complete(tmp_path: Path) -> None:
    program = tmp_path / "installed"
    program.write_text("official")
    one = Artifact("tools", "linked", "k", ("program",))
    with one.made_aside() as aside:
        (aside / "program").symlink_to(program)
    assert one.is_complete()
    program.unlink()
    assert not one.is_complete()


KILLED = """
import os, signal
from embedded.setup.cache import Artifact
one = Artifact("tools", "thing", "k1", ("program", "more/data"))
with one.made_aside() as aside:
    (aside / "program").write_text("half of it")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_after_kill_nothing_is_complete_and_the_next_attempt_clears_the_leftovers() -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED], check=False)
    assert killed.returncode == -signal.SIGKILL
    one = artifact()
    leftovers = list(one.directory.parent.iterdir())
    assert len(leftovers) == 1, "the killed process had begun"
    assert not one.is_complete()
    finish(one)
    assert one.is_complete()
    assert list(one.directory.parent.iterdir()) == [one.directory]


def test_only_artefacts_that_nobody_used_for_long_are_removed() -> None:
    current, recent, old = (finish(artifact(key)) for key in ("current", "recent", "old"))
    long_ago = old.path("manifest.json").stat().st_mtime - (UNUSED_DAYS + 1) * 86_400
    for one in (current, old):
        os.utime(one.path("manifest.json"), (long_ago, long_ago))
    current.mark_used()
    current.remove_unused()
    assert [one.is_complete() for one in (current, recent, old)] == [True, True, False]


def test_the_cache_is_where_the_variable_says(own_cache: Path) -> None:
    assert cache_root() == own_cache
    assert artifact().directory.is_relative_to(own_cache)
