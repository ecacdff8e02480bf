"""A machine that cannot be set up is told why, everything at once, before anything is touched."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from embedded.errors import EmbeddedError
from embedded.setup import catalogue, command, preconditions
from embedded.setup.preconditions import Facts, check, problems

GOOD = Facts(
    user_id=0,
    system="Linux",
    architecture="x86_64",
    distribution="debian 12",
    free_disk=100 * 10**9,
    memory=24 * 10**9,
    go="1.99.0",
    uv=True,
    namespaces=True,
)
#: A wrong fact, and a word of the sentence that answers it with what to do.
WRONG = {
    "not root": ({"user_id": 1000}, "sudo make setup"),
    "no namespaces": ({"namespaces": False}, "privileged"),
    "another system": ({"system": "Darwin"}, "Darwin"),
    "another architecture": ({"architecture": "aarch64"}, "aarch64"),
    "another distribution": ({"distribution": "ubuntu 24.04"}, "ubuntu 24.04"),
    "little disk": ({"free_disk": 11_900_000_000}, "11.9 GB"),
    "little memory": ({"memory": 4_000_000_000}, "4.0 GB"),
    "no Go": ({"go": ""}, "go.dev/dl"),
    "old Go": ({"go": "1.19.8"}, "Go 1.19.8"),
    "no uv": ({"uv": False}, "pip install uv"),
}


def test_a_fitting_machine_has_no_problems() -> None:
    assert problems(GOOD) == []


@pytest.mark.parametrize("case", WRONG)
def test_each_problem_is_one_sentence_with_what_to_do(case: str) -> None:
    change, word = WRONG[case]
    found = problems(dataclasses.replace(GOOD, **change))
    assert len(found) == 1
    assert word in found[0]
    assert "\n" not in found[0]


def test_without_a_node_neither_root_nor_debian_is_needed() -> None:
    facts = dataclasses.replace(GOOD, user_id=1000, distribution="fedora 42", namespaces=False)
    assert len(problems(facts)) == 2
    assert problems(facts, node=False) == []


def test_all_problems_are_told_at_once() -> None:
    facts = Facts(1000, "Linux", "x86_64", "fedora 42", 10**9, 10**9, "", False, False)
    assert len(problems(facts)) == 6  # of the seven: without root, namespaces are not asked about
    with pytest.raises(EmbeddedError) as raised:
        check(facts)
    for word in ("sudo", "fedora 42", "free some", "memory", "uv", "Go"):
        assert word in raised.value.message


def test_go_is_compared_by_numbers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, version in (("one", "1.9.9"), ("two", "1.25.11"), ("three", "1.25.2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "go.mod").write_text(f"module {name}\n\ngo {version}\n")
    monkeypatch.setattr(catalogue, "native_directory", lambda: tmp_path)
    assert preconditions.required_go() == "1.25.11"
    assert problems(dataclasses.replace(GOOD, go="1.25.11")) == []
    assert problems(dataclasses.replace(GOOD, go="1.26.0")) == []
    assert len(problems(dataclasses.replace(GOOD, go="1.25.9"))) == 1


def test_nothing_is_touched_on_a_machine_that_does_not_fit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("AIRFLOW_IAC_CACHE", str(cache))
    monkeypatch.setattr(preconditions, "gather", lambda: dataclasses.replace(GOOD, memory=10**9))
    with pytest.raises(EmbeddedError, match="memory"):
        command.run_setup()
    assert not cache.exists()


def test_the_facts_of_this_machine_can_be_gathered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AIRFLOW_IAC_CACHE", str(tmp_path / "not" / "there" / "yet"))
    facts = preconditions.gather()
    assert facts.system == "Linux"
    assert 0 < facts.memory < 2**50
    assert 0 < facts.free_disk < 2**60
