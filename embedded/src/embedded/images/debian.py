"""The lowest layer of the Airflow image: a minimal Debian 12 with what Airflow needs of the system."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from embedded.images.archive import write_layer
from embedded.setup.shell import Shell

SUITE: Final = "bookworm"

#: Debian 12's Python: the same program compiles here and runs there.
PYTHON: Final = "/usr/bin/python3.11"
#: Compiles so that the files are used whatever the times of their sources are: a layer fixes all times.
COMPILE: Final = (PYTHON, "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash")

#: dumb-init is the official image's process 1; libpq5 is the Postgres client library; git and ssh serve Git
#: bundles; procps serves probes and people who look into a pod.
PACKAGES: Final = (
    "ca-certificates",
    "dumb-init",
    "git",
    "libpq5",
    "netbase",
    "openssh-client",
    "procps",
    "python3",
    "tzdata",
)

#: Left out of the layer: what a container mounts itself, caches, records of the build, and documentation.
_EXCLUDED: Final = frozenset(
    {
        "etc/machine-id",
        "etc/resolv.conf",
        "usr/share/doc",
        "usr/share/info",
        "usr/share/locale",
        "usr/share/man",
        "var/cache/apt",
        "var/cache/ldconfig",
        "var/lib/apt/lists",
    }
)
_EMPTIED: Final = ("dev/", "proc/", "sys/", "run/", "tmp/", "var/log/", "var/tmp/")


def make_layer(aside: Path, shell: Shell) -> None:
    """Writes `layer.tar` into `aside`.

    Raises StepFailed when a package cannot be had.
    """
    root = aside / "root"
    include = f"--include={','.join(PACKAGES)}"
    command = ["debootstrap", "--variant=minbase", include, SUITE, str(root), *_mirror(shell)]
    # A fixed date keeps "last changed" columns of /etc/shadow from differing between builds.
    shell.run(command, environment={"SOURCE_DATE_EPOCH": "1767225600", "LC_ALL": "C"})
    # Debian's compiled files would count as out of date, and pods cannot write new ones here.
    libraries = [root / "usr/lib/python3", root / "usr/lib/python3.11"]
    shell.run([*COMPILE, "-f", "-x", "/test/|/lib2to3/tests/", "-s", root, "-p", "/", *libraries])
    write_layer(aside / "layer.tar", root, excluded=_is_excluded)
    shutil.rmtree(root)


def _is_excluded(path: str) -> bool:
    return path in _EXCLUDED or path.startswith(_EMPTIED)


def _mirror(shell: Shell) -> list[str]:
    """The Debian archive that this machine's apt uses, if it says; debootstrap's own may be out of reach."""
    debian = ["Created-By: Packages", "Origin: Debian", f"Codename: {SUITE}"]
    sites = shell.output(["apt-get", "indextargets", "--format", "$(SITE)", *debian])
    return sites.split()[:1]
