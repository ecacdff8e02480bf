"""What the machine must be before anything is installed; every problem is reported at once."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from embedded.errors import EmbeddedError
from embedded.setup import catalogue
from embedded.setup.cache import cache_root

#: Go's caches take 4 GB, images 3 GB with their parts, tools 0.4 GB, the running node 3 GB.
REQUIRED_DISK_BYTES: Final = 12 * 10**9
#: Linking the node's binary takes 2.3 GiB beside another build; Airflow and the node run in 2.5 GiB.
REQUIRED_MEMORY_BYTES: Final = 6 * 10**9

_CGROUP_LIMITS: Final = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


@dataclass(frozen=True)
class Facts:
    """What the checks look at. `go` is a release such as `1.26.8`, empty without Go; sizes are in bytes."""

    user_id: int
    system: str
    architecture: str
    distribution: str
    free_disk: int
    memory: int
    go: str
    uv: bool
    namespaces: bool


def gather() -> Facts:
    """The facts of this machine."""
    release = platform.freedesktop_os_release() if platform.system() == "Linux" else {}
    return Facts(
        user_id=os.geteuid(),
        system=platform.system(),
        architecture=platform.machine(),
        distribution=f"{release.get('ID', '')} {release.get('VERSION_ID', '')}".strip(),
        free_disk=_free_disk(cache_root()),
        memory=_memory(),
        go=catalogue.go_version().removeprefix("go"),
        uv=shutil.which("uv") is not None,
        namespaces=_namespaces_allowed(),
    )


def required_go() -> str:
    """The newest `go` directive among our Go modules."""
    directives = [
        found[1]
        for file in sorted(catalogue.native_directory().glob("*/go.mod"))
        if (found := re.search(r"^go (\S+)$", file.read_text(), re.MULTILINE))
    ]
    return max(directives, key=_numbers)


def problems(facts: Facts, *, node: bool = True) -> list[str]:
    """One sentence a problem: what is wrong, and what to do; without a `node` less is needed."""
    found = []
    if facts.system != "Linux" or facts.architecture != "x86_64":
        found.append(
            f"The embedded cloud runs on Linux on x86_64, not on {facts.system} on {facts.architecture}: "
            "use such a machine or virtual machine."
        )
    elif node and facts.distribution != "debian 12":
        found.append(
            f"Its packages are those of Debian 12, and this is {facts.distribution or 'unknown'}: use a "
            "Debian 12 machine, virtual machine or chroot."
        )
    if node and facts.user_id != 0:
        found.append("Packages, namespaces and mounts need root: run `sudo make setup`.")
    elif node and not facts.namespaces:
        found.append(
            "This root may not make namespaces and mounts (a container without privileges?): start the "
            "container privileged, or use a virtual machine."
        )
    if facts.free_disk < REQUIRED_DISK_BYTES:
        found.append(
            f"{cache_root()} has {_gigabytes(facts.free_disk)} free and {_gigabytes(REQUIRED_DISK_BYTES)} "
            "are needed: free some, or name another place in AIRFLOW_IAC_CACHE."
        )
    if facts.memory < REQUIRED_MEMORY_BYTES:
        found.append(
            f"The machine has {_gigabytes(facts.memory)} of memory and {_gigabytes(REQUIRED_MEMORY_BYTES)} "
            "are needed: give it more."
        )
    if not facts.uv:
        found.append("`uv` is not on PATH: install it with `python3 -m pip install uv`.")
    return found + _go_problems(facts.go)


def _go_problems(found: str) -> list[str]:
    needed = required_go()
    if found and _numbers(found) >= _numbers(needed):
        return []
    return [
        f"Go {needed} or newer is needed and {f'Go {found}' if found else 'none'} is on PATH (Debian's "
        "golang is too old): unpack a release of https://go.dev/dl/ and put its bin directory on PATH."
    ]


def check(facts: Facts, *, node: bool = True) -> None:
    """Raises EmbeddedError with every problem; nothing has been touched then."""
    found = problems(facts, node=node)
    if found:
        lines = "".join(f"\n  - {sentence}" for sentence in found)
        raise EmbeddedError(f"This machine is not ready for setup:{lines}", "Then run `make setup` again.")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.split("-")[0]))


def _gigabytes(size: int) -> str:
    return f"{size / 10**9:.1f} GB"


def _free_disk(place: Path) -> int:
    existing = next(folder for folder in (place, *place.parents) if folder.exists())
    return shutil.disk_usage(existing).free


def _memory() -> int:
    """The machine's memory, or the control group's limit where that is lower."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for file in _CGROUP_LIMITS:
        text = file.read_text().strip() if file.is_file() else ""
        if text.isdigit():
            sizes.append(int(text))
    return min(sizes)


def _namespaces_allowed() -> bool:
    """Whether a mount and a network namespace can be made; the attempt leaves nothing behind."""
    if not shutil.which("unshare"):
        return False
    attempt = ["unshare", "--mount", "--net", "mount", "-t", "tmpfs", "none", "/tmp"]  # noqa: S108 -- its own
    return subprocess.run(attempt, capture_output=True, check=False).returncode == 0
