"""What a node changes on the whole machine, and how the machine gets it back.

A kubelet sets kernel parameters when it starts and never takes that back; kubelet, CNI and containerd make
directories that are compiled in. Several clouds may be up: the first to start writes down what it finds,
the last to go restores it.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from embedded import process_table
from embedded.files import write_private

# pkg/kubelet/cm/container_manager_linux.go, setupKernelTunables, as of Kubernetes 1.34.
CHANGED_BY_KUBELET = (
    "vm.overcommit_memory",
    "vm.panic_on_oom",
    "kernel.panic",
    "kernel.panic_on_oops",
    "kernel.keys.root_maxkeys",
    "kernel.keys.root_maxbytes",
)
# Compiled into kubelet (device plugins, log links), libcni (results) and containerd's shim (sockets, runc).
_DIRECTORIES = ("/var/lib/kubelet", "/var/log/containers", "/var/lib/cni", "/run/containerd")
# Files that a kubelet leaves in such a directory; any other file there is somebody's and stays.
_KUBELET_FILES = ("kubelet.sock", "kubelet_internal_checkpoint", "DEPRECATION")
_KERNEL = Path("/proc/sys")
# One record for the machine, whoever's state directory the clouds use; meaningless after a boot.
_SHARED = Path("/run/airflow-iac")


@dataclass
class _Record:
    boot_id: str
    clouds: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    """Directories that did not exist before the first cloud."""


@dataclass(frozen=True)
class MachineRecord:
    """The record of one machine; tests point it at other directories."""

    kernel: Path = _KERNEL
    shared: Path = _SHARED
    directories: tuple[str, ...] = _DIRECTORIES

    def remember(self, cloud: str) -> None:
        """Note that this cloud is about to start its node. Safe to repeat."""
        with self._locked():
            record = self._read()
            if not record.clouds:
                record.values = {name: self._get(name) for name in CHANGED_BY_KUBELET if self._exists(name)}
                record.absent = [one for one in self.directories if not Path(one).exists()]
            if cloud not in record.clouds:
                record.clouds.append(cloud)
            write_private(self._path, json.dumps(vars(record)).encode())

    def restore(self, cloud: str) -> None:
        """Note that this cloud's node is gone; put everything back if it was the last. Safe to repeat."""
        if not self.shared.exists():
            return
        with self._locked():
            record = self._read()
            if cloud in record.clouds:
                record.clouds.remove(cloud)
                if not record.clouds:
                    self._put_back(record.values)
                    for directory in record.absent:
                        _remove_unused(Path(directory))
            if record.clouds:
                write_private(self._path, json.dumps(vars(record)).encode())
                return
            self._path.unlink(missing_ok=True)
        # Another cloud may have come in between; then the directory is not empty.
        (self.shared / "lock").unlink(missing_ok=True)
        with suppress(OSError):
            self.shared.rmdir()

    @property
    def _path(self) -> Path:
        return self.shared / "kernel-settings.json"

    def _read(self) -> _Record:
        try:
            record = _Record(**json.loads(self._path.read_text()))
        except (OSError, ValueError, TypeError):
            record = _Record("")
        current = process_table.boot_id()
        return record if record.boot_id == current else _Record(current)

    def _put_back(self, values: dict[str, str]) -> None:
        for name, value in values.items():
            if self._get(name) != value:
                self._file(name).write_text(value)

    def _exists(self, name: str) -> bool:
        return self._file(name).exists()

    def _get(self, name: str) -> str:
        return self._file(name).read_text().strip()

    def _file(self, name: str) -> Path:
        return self.kernel.joinpath(*name.split("."))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.shared.mkdir(mode=0o755, parents=True, exist_ok=True)
        with (self.shared / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _remove_unused(directory: Path) -> None:
    """Remove the directory with everything empty in it; a file of somebody else keeps its place."""
    for name in _KUBELET_FILES:
        (directory / "device-plugins" / name).unlink(missing_ok=True)
    for below in sorted((path for path in directory.rglob("*") if path.is_dir()), reverse=True):
        with suppress(OSError):
            below.rmdir()
    with suppress(OSError):
        directory.rmdir()
