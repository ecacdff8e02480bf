"""What a cloud asks of a machine before it starts, and what it gives back."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
from embedded.errors import EmbeddedError
from embedded.identity import CloudIdentity
from embedded.network import occupied
from embedded.node import cgroups
from embedded.node.cgroups import hierarchies
from embedded.node.machine_record import CHANGED_BY_KUBELET, MachineRecord
from embedded.preconditions import Machine, check_ports_free, problems

_FIT = Machine(
    user_id=0,
    system="Linux",
    architecture="x86_64",
    free_disk=50 * 10**9,
    available_memory=8 * 2**30,
    missing_tools=(),
    file_systems=frozenset({"ext4", "overlay"}),
    longest_socket="/home/somebody/.local/state/airflow-iac/airflow-00000000/run/containerd.sock.ttrpc",
)


def test_a_fit_machine_has_no_problems() -> None:
    assert problems(_FIT) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"user_id": 1000}, "root"),
        ({"architecture": "aarch64"}, "aarch64"),
        ({"system": "Darwin"}, "Darwin"),
        ({"free_disk": 10**9}, "1.0 GB"),
        ({"available_memory": 2**30}, "1.0 GiB"),
        ({"missing_tools": ("ctr", "conntrack")}, "ctr, conntrack"),
        ({"file_systems": frozenset({"ext4"})}, "overlay"),
        ({"longest_socket": "/" + "x" * 107}, "XDG_STATE_HOME"),
    ],
)
def test_each_problem_is_named(change: dict[str, Any], named: str) -> None:
    found = problems(dataclasses.replace(_FIT, **change))
    assert len(found) == 1
    assert named in found[0]


def test_all_problems_are_said_at_once() -> None:
    assert len(problems(dataclasses.replace(_FIT, user_id=1, free_disk=0, available_memory=0))) == 3


_IDENTITY = CloudIdentity.of(Path("/checkout"))
_INSIDE = str(_IDENTITY.block.network_address + 700)


def _link(name: str, address: str, length: int) -> dict[str, Any]:
    return {"ifname": name, "addr_info": [{"family": "inet", "local": address, "prefixlen": length}]}


@pytest.mark.parametrize(
    ("addresses", "routes", "expected"),
    [
        ([_link("vpn0", _INSIDE, 32)], [], [f"address {_INSIDE} of link vpn0"]),
        ([_link("lab0", "10.0.0.1", 8)], [], []),
        ([], [{"dst": f"{_INSIDE}/32", "dev": "vpn0"}], [f"route {_INSIDE}/32 of link vpn0"]),
        ([], [{"dst": _INSIDE, "dev": "vpn0"}], [f"route {_INSIDE} of link vpn0"]),
        ([], [{"dst": "default", "dev": "eth0"}, {"dst": "10.0.0.0/8", "dev": "vpn0"}], []),
        ([_link("eth0", "192.0.2.2", 24)], [{"dst": "192.0.2.0/24", "dev": "eth0"}], []),
        (
            [_link(_IDENTITY.host_link, _IDENTITY.host_address, 24)],
            [{"dst": _IDENTITY.pod_cidr, "dev": _IDENTITY.host_link}],
            [],
        ),
    ],
)
def test_only_others_use_of_the_range_is_in_the_way(
    addresses: list[dict[str, Any]], routes: list[dict[str, Any]], expected: list[str]
) -> None:
    assert occupied(_IDENTITY, addresses, routes) == expected


def test_a_port_that_somebody_has_on_all_addresses_is_named() -> None:
    loopback = dataclasses.replace(_IDENTITY, block=IPv4Network("127.77.0.0/22"))
    with socket.socket() as free, socket.socket() as taken:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        taken.bind(("0.0.0.0", 0))  # noqa: S104 -- what the cloud must notice
        taken.listen()
        own = {
            "aws_plain_port": port,
            "pod_identity_port": port,
            "webhook_port": port,
            "token_webhook_port": port,
        }
        check_ports_free(dataclasses.replace(loopback, aws_port=port, **own))
        with pytest.raises(EmbeddedError, match=f"{taken.getsockname()[1]} \\(the AWS API\\)") as caught:
            check_ports_free(dataclasses.replace(loopback, aws_port=taken.getsockname()[1], **own))
        assert str(port) not in caught.value.message


def test_hierarchies_of_both_versions_of_control_groups_are_found() -> None:
    text = (
        "30 23 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "31 23 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"
        "32 23 0:28 / /tmp/cgroup rw - tmpfs cgroup rw\n"
    )
    assert hierarchies(text) == {
        Path("/sys/fs/cgroup/memory"): "cgroup",
        Path("/sys/fs/cgroup/unified"): "cgroup2",
    }


@pytest.fixture
def machine(tmp_path: Path) -> MachineRecord:
    kernel = tmp_path / "kernel"
    for number, name in enumerate(CHANGED_BY_KUBELET):
        file = kernel.joinpath(*name.split("."))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{number}\n")
    return MachineRecord(kernel, tmp_path / "shared", (str(tmp_path / "kubelet"), str(tmp_path / "cni")))


def _settings(machine: MachineRecord) -> dict[str, str]:
    files = (path for path in machine.kernel.rglob("*") if path.is_file())
    return {str(path.relative_to(machine.kernel)): path.read_text().strip() for path in files}


def _kubelet_starts(machine: MachineRecord) -> None:
    for file in (path for path in machine.kernel.rglob("*") if path.is_file()):
        file.write_text("99")


def test_the_last_cloud_to_go_gives_the_settings_back(machine: MachineRecord) -> None:
    before = _settings(machine)
    machine.remember("one")
    _kubelet_starts(machine)
    machine.remember("two")
    machine.remember("two")
    machine.restore("one")
    assert set(_settings(machine).values()) == {"99"}
    machine.restore("one")
    machine.restore("two")
    assert _settings(machine) == before
    assert not machine.shared.exists()


def test_a_record_of_another_boot_is_not_restored(machine: MachineRecord) -> None:
    machine.remember("one")
    path = machine.shared / "kernel-settings.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "boot_id": "another"}))
    _kubelet_starts(machine)
    machine.restore("one")
    assert set(_settings(machine).values()) == {"99"}


def test_only_directories_that_were_not_there_are_removed_and_only_when_empty(
    machine: MachineRecord, tmp_path: Path
) -> None:
    kubelet, cni = tmp_path / "kubelet", tmp_path / "cni"
    cni.mkdir()
    machine.remember("one")
    (kubelet / "device-plugins").mkdir(parents=True)
    (kubelet / "device-plugins" / "kubelet.sock").write_text("")
    machine.restore("one")
    assert not kubelet.exists()
    assert cni.exists()
    machine.remember("one")
    kubelet.mkdir()
    (kubelet / "somebodys").write_text("")
    machine.restore("one")
    assert (kubelet / "somebodys").exists()


def test_groups_that_go_while_they_are_listed_hide_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kubelet removes groups of ended pods at any moment, that of a listing included."""
    for pid, group in enumerate(("here", "gone", "there"), start=1):
        (tmp_path / "cloud" / "kubepods" / group).mkdir(parents=True)
        (tmp_path / "cloud" / "kubepods" / group / "cgroup.procs").write_text(f"{pid}\n")
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"1 0 0:1 / {tmp_path} rw - cgroup2 cgroup2 rw\n")
    monkeypatch.setattr(cgroups, "_MOUNTS", mounts)
    listed = os.scandir

    def scandir(path: str) -> Any:
        if Path(path).name == "gone":
            (Path(path) / "cgroup.procs").unlink(missing_ok=True)
            Path(path).rmdir()
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert cgroups.processes("cloud") == {1, 3}
