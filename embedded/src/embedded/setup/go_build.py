"""Builds programs from the Go modules of this repository."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from embedded.setup import catalogue
from embedded.setup.cache import cache_root
from embedded.setup.shell import Shell

#: Go builds that run at the same time (see `steps.all_steps`); each gets its share of a small machine.
CONCURRENT_BUILDS: Final = 2
#: From here on compilers may keep garbage (a tenth less CPU; the largest takes 4 GB then instead of 2.3) and
#: builds may overlap on all processors, so that none idles while the last build ends.
AMPLE_MEMORY_BYTES: Final = 16 * 10**9


def build_cache() -> Path:
    """Go's module and build caches: 4 GB that are of no use once everything is built."""
    return cache_root() / "build"


def environment() -> dict[str, str]:
    """Settings of a build: static binaries, from exactly the modules of go.sum, with the Go at hand."""
    return {
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GOMODCACHE": str(build_cache() / "gomod"),
        "GOCACHE": str(build_cache() / "gocache"),
        "GOGC": "400" if _memory_is_ample() else "100",
    }


def _memory_is_ample() -> bool:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >= AMPLE_MEMORY_BYTES


def _processors() -> int:
    count = os.cpu_count() or 1
    return count if _memory_is_ample() else max(1, count // CONCURRENT_BUILDS)


def build(
    shell: Shell, module: str, package: str, target: Path, variables: Sequence[tuple[str, str]] = ()
) -> None:
    """Builds `package` (a path such as ./coredns, or a tool of the module) into the file `target`.

    `variables` are string variables that the linker sets: version texts, which the sources leave empty.

    Raises StepFailed when a module is refused or the build fails.
    """
    flags = " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in variables)])
    shell.run(
        ["go", "build", "-p", str(_processors()), "-trimpath", "-ldflags", flags, "-o", target, package],
        cwd=catalogue.native_directory() / module,
        environment=environment(),
    )


def module_directory(shell: Shell, module: str, dependency: str) -> Path:
    """Where the sources of a module's dependency lie, downloaded when needed.

    Raises StepFailed when it is refused.
    """
    source = catalogue.native_directory() / module
    shell.run(["go", "mod", "download", dependency], cwd=source, environment=environment())
    printed = shell.output(
        ["go", "-C", source, "list", "-m", "-f", "{{.Dir}}", dependency], environment=environment()
    )
    return Path(printed.strip().splitlines()[-1])


def remove_caches() -> None:
    """Removes Go's caches; they are made again by the next build."""
    shutil.rmtree(build_cache(), ignore_errors=True)
