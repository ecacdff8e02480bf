"""The Pulumi engine with its Python language host: the official one, or built from its Go modules."""

from __future__ import annotations

import os
import re
import shutil
import tarfile
from pathlib import Path
from typing import Final

from embedded.errors import EmbeddedError
from embedded.setup import catalogue
from embedded.setup.cache import cache_root
from embedded.setup.download import try_download
from embedded.setup.go_build import build, module_directory
from embedded.setup.shell import Shell, StepFailed

_DOWNLOAD: Final = f"https://get.pulumi.com/releases/sdk/pulumi-v{catalogue.PULUMI_VERSION}-linux-x64.tar.gz"
_SDK: Final = "github.com/pulumi/pulumi/sdk/v3"
#: Unset, the version is empty, and the Automation API refuses an engine whose version it cannot parse.
_VERSION_VARIABLE: Final = (f"{_SDK}/go/common/version.Version", f"v{catalogue.PULUMI_VERSION}")
_ELF: Final = b"\x7fELF"


def install(aside: Path, shell: Shell) -> None:
    """Puts `pulumi` and its language host into `aside`, from the first source that has them.

    Raises StepFailed when the last source, the Go modules, fails too; EmbeddedError when the engine does
    not run.
    """
    if not (_link_installed(aside, shell) or _unpack_official(aside, shell)):
        _build(aside, shell)
    version = _version(aside / "pulumi", shell)
    if not _is_new_enough(version):
        raise EmbeddedError(
            f"The Pulumi engine says it is {version!r}, not {catalogue.PULUMI_VERSION} or a newer 3.x.",
            f"Read {shell.log}, then run `make setup` again.",
        )


def installed_engine() -> Path | None:
    """An official `pulumi` on PATH with its language host beside it.

    Scripts (the embedded cloud puts one of that name on PATH) and our own builds are passed over.
    """
    for folder in os.get_exec_path():
        candidate = (Path(folder) / "pulumi").resolve()
        host = candidate.with_name("pulumi-language-python")
        if cache_root() not in candidate.parents and _is_program(candidate) and host.is_file():
            return candidate
    return None


def _is_program(file: Path) -> bool:
    try:
        if not (file.is_file() and os.access(file, os.X_OK)):
            return False
    except OSError:  # a directory on PATH that this user may not look into
        return False
    with file.open("rb") as content:
        return content.read(4) == _ELF


def _link_installed(aside: Path, shell: Shell) -> bool:
    engine = installed_engine()
    if engine is None or not _is_new_enough(_version(engine, shell)):
        return False
    if not all(engine.with_name(name).is_file() for name in catalogue.LANGUAGE_HOST_FILES):
        return False
    shell.note(f"using {engine}")
    (aside / "pulumi").symlink_to(engine)
    for name in catalogue.LANGUAGE_HOST_FILES:
        (aside / name).symlink_to(engine.with_name(name))
    return True


def _unpack_official(aside: Path, shell: Shell) -> bool:
    archive = aside / "pulumi.tar.gz"
    if not try_download(_DOWNLOAD, archive, shell):
        return False
    with tarfile.open(archive) as opened:
        opened.extractall(aside / "unpacked", filter="data")
    archive.unlink()
    (aside / "unpacked" / "pulumi" / "pulumi").rename(aside / "pulumi")
    for file in (aside / "unpacked" / "pulumi").glob("pulumi-*"):
        if "python" in file.name:
            file.rename(aside / file.name)
    shutil.rmtree(aside / "unpacked")
    return True


def _build(aside: Path, shell: Shell) -> None:
    """The engine is of the pinned version. The last SDK module that contains the Python host is 3.79.0; it
    serves preview, up, refresh and destroy of this engine, and lacks policy packs and source plugins."""
    build(
        shell,
        "language_host",
        f"{_SDK}/python/cmd/pulumi-language-python",
        aside / "pulumi-language-python",
        [_VERSION_VARIABLE],
    )
    build(
        shell, "engine", "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi", aside / "pulumi", [_VERSION_VARIABLE]
    )
    python = module_directory(shell, "engine", _SDK) / "python"
    for script in ("cmd/pulumi-language-python-exec", "dist/pulumi-resource-pulumi-python"):
        target = aside / Path(script).name
        shutil.copyfile(python / script, target)
        target.chmod(0o755)


def _version(engine: Path, shell: Shell) -> str:
    settings = {"PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        return shell.output([engine, "version"], environment=settings).strip().removeprefix("v")
    except StepFailed:
        return ""


def _is_new_enough(version: str) -> bool:
    found = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)(\S*)", version)
    if not found:
        return False
    wanted = tuple(int(part) for part in catalogue.PULUMI_VERSION.split("."))
    numbers = (int(found[1]), int(found[2]), int(found[3]))
    return numbers[0] == wanted[0] and numbers[:2] >= wanted[:2]
