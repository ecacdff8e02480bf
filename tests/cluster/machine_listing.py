"""The machine as ordinary commands list it: what a cloud may use while it is up and must not leave behind."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, fields

# Counters and samples that move by themselves: proc_sys_fs(5), proc_sys_kernel(5), random(4).
_MOVING_SETTINGS = re.compile(
    r"^(fs\.(dentry-state|file-nr|inode-nr|inode-state|aio-nr)|fs\.quota\..*|kernel\.ns_last_pid"
    r"|kernel\.random\..*|kernel\.pty\.nr|net\.netfilter\.nf_conntrack_count) "
)


@dataclass(frozen=True)
class Listing:
    """Lines of each command, without what belongs to other clouds of the machine."""

    processes: frozenset[str]
    """Those whose parent is gone, as a daemon's is, and those that name a cloud under test."""
    mounts: frozenset[str]
    links: frozenset[str]
    namespaces: frozenset[str]
    routes: frozenset[str]
    rules: frozenset[str]
    firewall: frozenset[str]
    control_groups: frozenset[str]
    settings: frozenset[str]

    def differences(self, later: Listing) -> dict[str, list[str]]:
        """What came (+) and went (-) since, by the listing in which it shows."""
        found = {}
        for field in fields(self):
            before, after = getattr(self, field.name), getattr(later, field.name)
            lines = [f"+ {line}" for line in sorted(after - before)]
            # Other programs of the machine may end meanwhile.
            gone = before - after if field.name != "processes" else ()
            lines += [f"- {line}" for line in sorted(gone)]
            if lines:
                found[field.name] = lines
        return found


def take(own_clouds: list[str]) -> Listing:
    """The listing of now; `own_clouds` are the names of the clouds that are under test."""
    foreign = _foreign(own_clouds)

    def lines(*command: str) -> frozenset[str]:
        output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        return frozenset(line for line in output.splitlines() if not foreign.search(line))

    return Listing(
        processes=_daemons(foreign, own_clouds),
        mounts=lines("cat", "/proc/mounts"),
        links=frozenset(line for line in lines("ip", "-oneline", "link") if line),
        namespaces=lines("ip", "netns", "list"),
        routes=lines("ip", "route", "show", "table", "all"),
        rules=lines("ip", "rule"),
        firewall=frozenset(
            re.sub(r"\[\d+:\d+\]", "", line) for line in lines("iptables-save") if not line.startswith("#")
        ),
        control_groups=lines("find", "/sys/fs/cgroup", "-type", "d"),
        settings=frozenset(line for line in lines("sysctl", "--all") if not _MOVING_SETTINGS.match(line)),
    )


def _foreign(own_clouds: list[str]) -> re.Pattern[str]:
    """Names of clouds, and of their links, that are not under test and may come and go beside it."""
    digits = "|".join(name.removeprefix("airflow-") for name in own_clouds)
    return re.compile(rf"\b(airflow-|af)(?!{digits})[0-9a-f]{{8}}\b")


def _daemons(foreign: re.Pattern[str], own_clouds: list[str]) -> frozenset[str]:
    """Programs that run beside the test have a shell or a service above them, so they are left out.

    Dead ones that wait for the first process to take note of their end (state Z) are not running.
    """
    output = subprocess.run(
        ["ps", "-ewwo", "pid=,ppid=,sess=,stat=,args="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(maxsplit=4) for line in output.splitlines()]
    leaders = {pid for pid, *_ in rows}
    return frozenset(
        f"{pid} {args}"
        for pid, parent, session, state, args in rows
        if not state.startswith("Z")
        and not foreign.search(args)
        and (
            any(name in args for name in own_clouds)
            or (parent == "1" and (session == pid or session not in leaders))
        )
    )
