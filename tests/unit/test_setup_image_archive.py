"""Image archives: the docker-archive format by its rules, and the same bytes for the same files."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from pathlib import Path

import pytest
from embedded.images import static
from embedded.images.archive import write_archive, write_layer

REFERENCE = "registry.example/some/image:1.0"


def tree(root: Path, names: list[str], when: int) -> Path:
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"content of {name}")
        file.chmod(0o755 if name.endswith("sh") else 0o640)
    (root / "link").symlink_to("bin/run.sh")
    os.link(root / names[0], root / "bin" / "same")
    for path in root.rglob("*"):
        os.utime(path, (when, when), follow_symlinks=False)
    return root


NAMES = ["bin/run.sh", "etc/passwd", "z", "bin/other"]


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_the_same_files_give_the_same_bytes_whatever_their_times_and_order(tmp_path: Path) -> None:
    results = []
    for attempt, order in enumerate((NAMES, [NAMES[0], *reversed(NAMES[1:])])):
        root = tree(tmp_path / f"root{attempt}", order, 1_600_000_000 + attempt * 1000)
        layer, archive = tmp_path / f"layer{attempt}.tar", tmp_path / f"image{attempt}.tar"
        write_layer(layer, root)
        write_archive(archive, REFERENCE, [layer], {"Env": ["A=1"], "User": "1"}, author="test")
        results.append((digest(layer), digest(archive)))
    assert results[0] == results[1]


def test_a_layer_holds_contents_modes_owners_and_links(tmp_path: Path) -> None:
    root = tree(tmp_path / "root", NAMES, 1_600_000_000)
    os.mkfifo(root / "pipe")
    write_layer(tmp_path / "layer.tar", root, excluded=lambda path: path == "etc")
    with tarfile.open(tmp_path / "layer.tar") as layer:
        members = {member.name: member for member in layer.getmembers()}
        assert sorted(members) == ["bin", "bin/other", "bin/run.sh", "bin/same", "link", "z"]
        assert members["bin/run.sh"].mode == 0o755
        assert members["z"].mode == 0o640
        assert members["z"].uid == os.getuid()
        assert members["link"].linkname == "bin/run.sh"
        kinds = {members["bin/run.sh"].type, members["bin/same"].type}
        assert kinds == {tarfile.REGTYPE, tarfile.LNKTYPE}
        content = layer.extractfile("z")
        assert content
        assert content.read() == b"content of z"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    layers = []
    for name in ("lower", "upper"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text(name)
        layers.append(tmp_path / f"{name}.tar")
        write_layer(layers[-1], tmp_path / name)
    target = tmp_path / "image.tar"
    write_archive(target, REFERENCE, layers, {"Entrypoint": ["/lower"]}, author="test")
    return target


def test_the_manifest_names_configuration_and_layers_by_their_digests(archive: Path) -> None:
    with tarfile.open(archive) as opened:

        def read(name: str) -> bytes:
            member = opened.extractfile(name)
            assert member
            return member.read()

        (image,) = json.loads(read("manifest.json"))
        assert image["RepoTags"] == [REFERENCE]
        raw = read(image["Config"])
        assert image["Config"] == f"{hashlib.sha256(raw).hexdigest()}.json"
        configuration = json.loads(raw)
        assert (configuration["os"], configuration["architecture"]) == ("linux", "amd64")
        assert configuration["config"] == {"Entrypoint": ["/lower"]}
        assert configuration["rootfs"]["diff_ids"] == [
            f"sha256:{hashlib.sha256(read(layer)).hexdigest()}" for layer in image["Layers"]
        ]
        assert len(configuration["history"]) == len(image["Layers"]) == 2


def test_layers_are_in_the_given_order(archive: Path, tmp_path: Path) -> None:
    with tarfile.open(archive) as opened:
        member = opened.extractfile("manifest.json")
        assert member
        layers = json.loads(member.read())[0]["Layers"]
        found = []
        for name in layers:
            content = opened.extractfile(name)
            with tarfile.open(fileobj=content) as layer:
                found.append(layer.getnames())
    assert found == [["lower"], ["upper"]]


def test_an_image_of_one_binary_holds_it_executable(tmp_path: Path) -> None:
    binary = tmp_path / "program"
    binary.write_bytes(b"\x7fELF...")
    binary.chmod(0o600)
    aside = tmp_path / "aside"
    aside.mkdir()
    static.make_image(aside, REFERENCE, binary, "bin/program", {"Entrypoint": ["/bin/program"]})
    assert [file.name for file in aside.iterdir()] == ["image.tar"]
    with tarfile.open(aside / "image.tar") as opened:
        name = next(name for name in opened.getnames() if name.endswith("layer.tar"))
        with tarfile.open(fileobj=opened.extractfile(name)) as layer:
            assert layer.getmember("bin/program").mode == 0o755
