"""The chart's one place is filled from the right source, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from infra.lifecycle import chart_source
from infra.lifecycle.chart_source import Kind, content_digest
from infra.lifecycle.errors import LifecycleError

VERSION = "1.21.0"


def _chart(directory: Path, mark: str = "x", version: str = VERSION, **more: object) -> Path:
    (directory / "templates").mkdir(parents=True)
    manifest = {"apiVersion": "v2", "name": "airflow", "version": version, **more}
    (directory / "Chart.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False))
    (directory / "templates" / "a.yaml").write_text(mark)
    (directory / "values.schema.json").write_text("{}")
    return directory


def _no_network(version: str, target: Path) -> None:
    raise LifecycleError("there is no network", "none")


def _downloads(mark: str) -> object:
    return lambda version, target: _chart(target, mark, version)


def _fill(tmp_path: Path, environment: dict[str, str], download: object = _no_network) -> chart_source.Chart:
    whole = {"XDG_CACHE_HOME": str(tmp_path / "cache"), **environment}
    return chart_source.fill(tmp_path / "project", VERSION, whole, download)  # type: ignore[arg-type]


def _mark(tmp_path: Path) -> str:
    return (tmp_path / "project" / ".charts" / "airflow" / "templates" / "a.yaml").read_text()


def test_a_given_chart_comes_before_all_others(tmp_path: Path) -> None:
    _chart(tmp_path / "cache" / "airflow-iac" / "charts" / f"airflow-{VERSION}", "cached")
    given_chart = _chart(tmp_path / "given", "given")
    standin = _chart(tmp_path / "standin", "standin")
    variables = {"AIRFLOW_CHART": str(given_chart), "AIRFLOW_CHART_STANDIN": str(standin)}
    assert _fill(tmp_path, variables).kind is Kind.GIVEN
    assert _mark(tmp_path) == "given"


def test_the_cache_comes_before_the_network(tmp_path: Path) -> None:
    _chart(tmp_path / "cache" / "airflow-iac" / "charts" / f"airflow-{VERSION}", "cached")
    assert _fill(tmp_path, {}, _downloads("downloaded")).kind is Kind.OFFICIAL
    assert _mark(tmp_path) == "cached"


def test_the_network_comes_before_the_standin(tmp_path: Path) -> None:
    standin = _chart(tmp_path / "standin", "standin")
    variables = {"AIRFLOW_CHART_STANDIN": str(standin)}
    assert _fill(tmp_path, variables, _downloads("downloaded")).kind is Kind.OFFICIAL
    assert _mark(tmp_path) == "downloaded"


def test_the_standin_is_used_last_and_says_so(tmp_path: Path) -> None:
    standin = _chart(tmp_path / "standin", "standin")
    chart = _fill(tmp_path, {"AIRFLOW_CHART_STANDIN": str(standin)})
    assert chart.kind is Kind.STANDIN
    assert "stand-in" in chart.sentence()
    assert _mark(tmp_path) == "standin"


def test_nothing_at_hand_names_the_way_out_and_touches_nothing(tmp_path: Path) -> None:
    with pytest.raises(LifecycleError) as error:
        _fill(tmp_path, {})
    assert "AIRFLOW_CHART=" in error.value.next_step
    assert not (tmp_path / "project").exists()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: _chart(path, version="1.20.0"), "version 1.20.0"),
        (lambda path: path.mkdir(), "not the whole Airflow chart"),
        (lambda path: path.write_text("no archive"), "neither a directory nor a chart archive"),
        (lambda path: None, "does not exist"),
    ],
)
def test_a_wrong_chart_is_refused_and_the_one_in_place_stays(
    tmp_path: Path, make: object, reason: str
) -> None:
    _fill(tmp_path, {"AIRFLOW_CHART": str(_chart(tmp_path / "good", "good"))})
    make(tmp_path / "given")  # type: ignore[operator]
    with pytest.raises(LifecycleError, match=reason):
        _fill(tmp_path, {"AIRFLOW_CHART": str(tmp_path / "given")})
    assert _mark(tmp_path) == "good"


def test_another_chart_replaces_the_one_in_place_whole(tmp_path: Path) -> None:
    old = _chart(tmp_path / "old", "old")
    (old / "templates" / "only-in-old.yaml").write_text("x")
    _fill(tmp_path, {"AIRFLOW_CHART": str(old)})
    _fill(tmp_path, {"AIRFLOW_CHART": str(_chart(tmp_path / "new", "new"))})
    place = tmp_path / "project" / ".charts" / "airflow"
    assert _mark(tmp_path) == "new"
    assert not (place / "templates" / "only-in-old.yaml").exists()
    assert sorted(path.name for path in place.parent.iterdir()) == ["airflow", "source.json"]


def test_a_second_fill_writes_nothing(tmp_path: Path) -> None:
    variables = {"AIRFLOW_CHART": str(_chart(tmp_path / "given"))}
    first = _fill(tmp_path, variables)
    place = tmp_path / "project" / ".charts"
    before = {path: path.stat().st_mtime_ns for path in sorted(place.rglob("*"))}
    assert _fill(tmp_path, variables) == first
    assert {path: path.stat().st_mtime_ns for path in sorted(place.rglob("*"))} == before


def test_an_archive_and_its_directory_are_one_chart(tmp_path: Path) -> None:
    directory = _chart(tmp_path / "airflow", "same")
    with tarfile.open(tmp_path / "airflow.tgz", "w:gz") as archive:
        archive.add(directory, arcname="airflow")
    from_archive = _fill(tmp_path, {"AIRFLOW_CHART": str(tmp_path / "airflow.tgz")})
    from_directory = _fill(tmp_path, {"AIRFLOW_CHART": str(directory)})
    assert from_archive.digest == from_directory.digest


def test_only_dependencies_that_are_not_packed_are_dropped(tmp_path: Path) -> None:
    dependencies = [{"name": "postgresql", "version": "1"}, {"name": "packed", "version": "2"}]
    given_chart = _chart(tmp_path / "given", dependencies=dependencies)
    (given_chart / "charts").mkdir()
    (given_chart / "charts" / "packed-2.tgz").write_bytes(b"")
    (given_chart / "Chart.lock").write_text("lock")
    _fill(tmp_path, {"AIRFLOW_CHART": str(given_chart)})
    place = tmp_path / "project" / ".charts" / "airflow"
    assert yaml.safe_load((place / "Chart.yaml").read_text())["dependencies"] == [dependencies[1]]
    assert not (place / "Chart.lock").exists()
    assert (given_chart / "Chart.lock").exists()


@pytest.mark.parametrize("other", ["same", "another"])
def test_two_first_runs_do_not_stumble_over_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    """The other run puts its chart into the cache, or into the checkout, while this one fetches its own."""
    cached = tmp_path / "cache" / "airflow-iac" / "charts" / f"airflow-{VERSION}"

    def helm(command: list[str], **_: object) -> str:
        _chart(Path(command[-1]) / "airflow", "same")
        _chart(cached, other)
        return ""

    monkeypatch.setattr(chart_source.processes, "output", helm)
    if other == "another":
        with pytest.raises(LifecycleError, match="Another run has put another chart"):
            _fill(tmp_path, {}, None)
        return
    assert _fill(tmp_path, {}, None).kind is Kind.OFFICIAL
    assert _mark(tmp_path) == "same"


def test_two_runs_in_one_checkout_do_not_stumble_over_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_chart = _chart(tmp_path / "given", "given")
    renamed = Path.rename

    def rename(self: Path, target: Path) -> Path:
        if self.name == "new":
            # The other run is there a moment before.
            shutil.copytree(self, target)
        return renamed(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    assert _fill(tmp_path, {"AIRFLOW_CHART": str(given_chart)}).kind is Kind.GIVEN
    assert _mark(tmp_path) == "given"


names = st.text(st.sampled_from("ab/"), min_size=1, max_size=5).map(lambda text: text.strip("/") or "a")
trees = st.dictionaries(names, st.binary(max_size=4), max_size=4)


@given(trees, trees)
def test_digests_differ_exactly_when_trees_do(
    tmp_path_factory: pytest.TempPathFactory, one: dict[str, bytes], other: dict[str, bytes]
) -> None:
    trees_written = [_write(tmp_path_factory.mktemp("tree"), tree) for tree in (one, other)]
    same = trees_written[0][1] == trees_written[1][1]
    digests = [content_digest(path) for path, _ in trees_written]
    assert (digests[0] == digests[1]) is same


def _write(directory: Path, tree: dict[str, bytes]) -> tuple[Path, dict[str, str]]:
    """Write what can be written (a path is a file or a directory); return what is there by other means."""
    for name, content in tree.items():
        path = directory / name
        if path.is_dir() or any(parent.is_file() for parent in path.parents):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    found = {}
    for folder, _, files in os.walk(directory):
        for file in files:
            path = Path(folder) / file
            found[os.path.relpath(path, directory)] = hashlib.md5(path.read_bytes()).hexdigest()  # noqa: S324
    return directory, found


@pytest.mark.parametrize("missing", ["templates", "values.schema.json", "Chart.yaml"])
def test_half_a_chart_is_no_chart(tmp_path: Path, missing: str) -> None:
    """What an interrupted copy leaves would deploy nothing, and say that all went well."""
    half = _chart(tmp_path / "half")
    path = half / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(LifecycleError, match="not the whole Airflow chart"):
        _fill(tmp_path, {"AIRFLOW_CHART": str(half)})


@pytest.mark.parametrize("length", [10, 200])
def test_an_archive_that_was_cut_off_is_told_in_a_sentence(tmp_path: Path, length: int) -> None:
    whole = tmp_path / "whole.tgz"
    with tarfile.open(whole, "w:gz") as archive:
        archive.add(_chart(tmp_path / "chart"), "airflow")
    cut = tmp_path / "cut.tgz"
    cut.write_bytes(whole.read_bytes()[:length])
    with pytest.raises(LifecycleError, match="neither a directory nor a chart archive"):
        _fill(tmp_path, {"AIRFLOW_CHART": str(cut)})
