"""Debian packages of the machine itself."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from embedded.setup.shell import Shell, StepFailed

#: What each package is for, so that none stays here after its use has gone.
PACKAGES: Final = {
    "busybox-static": "probes and small containers of the tests",
    "ca-certificates": "downloads",
    "conntrack": "kube-proxy",
    "containernetworking-plugins": "the pods' network",
    "containerd": "containers",
    "debootstrap": "the base of images",
    "ebtables": "kubelet's checks",
    "ethtool": "kubelet's checks",
    "iproute2": "namespaces and links",
    "iptables": "Services",
    "kmod": "loading of overlay and netfilter modules",
    "mount": "overlay mounts",
    "openssl": "looking at certificates",
    "postgresql-15": "the servers that stand for RDS",
    "python3": "the Python inside images",
    "runc": "containers",
    "socat": "port forwarding",
    "util-linux": "nsenter, setpriv, unshare",
}

#: Read by postgresql-common when the server is installed: no cluster of Debian's own on port 5432.
_CLUSTER_SETTING: Final = Path("/etc/postgresql-common/createcluster.d/airflow-iac.conf")

_QUIET: Final = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
#: Another apt at work (unattended upgrades) is waited for.
_APT: Final = (
    "apt-get",
    "-o",
    "DPkg::Lock::Timeout=300",
    "-o",
    "Dpkg::Options::=--force-confold",
    "-q",
    "-y",
)


def missing_packages() -> list[str]:
    """The packages that are not, or not wholly, installed."""
    answer = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${db:Status-Abbrev} ${Package}\n", *PACKAGES],
        capture_output=True,
        text=True,
        check=False,  # it answers 1 when a package is unknown
    )
    installed = {line.split()[1] for line in answer.stdout.splitlines() if line.startswith("ii ")}
    return sorted(set(PACKAGES) - installed)


def install(shell: Shell) -> None:
    """Installs what is missing; repairs an installation that was cut off before.

    Raises StepFailed when a package cannot be had.
    """
    missing = missing_packages()
    if not missing:
        return
    if "postgresql-15" in missing and not _CLUSTER_SETTING.exists():
        _CLUSTER_SETTING.parent.mkdir(parents=True, exist_ok=True)
        _CLUSTER_SETTING.write_text("create_main_cluster = false\n")
    shell.run(["dpkg", "--configure", "-a"], environment=_QUIET, outlives_setup=True)
    install_command = [*_APT, "install", "--no-install-recommends", *missing]
    try:
        shell.run(install_command, environment=_QUIET, outlives_setup=True)
    except StepFailed:
        # No lists yet, or lists that name releases which the archive has replaced.
        shell.run([*_APT, "update"], environment=_QUIET, outlives_setup=True)
        shell.run(install_command, environment=_QUIET, outlives_setup=True)
