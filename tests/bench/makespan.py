"""Makespan of both programs beside their critical path, with AWS's durations played.

    python tests/bench/makespan.py [STACK [SCALE]]

No node and no running cloud are needed; prod at 1/6 of AWS's pace without arguments.

The programs are deployed by the real engine against a cloud of their own: AWS's durations are the cloud's
(`embedded faults durations`), on a control plane without a node, where pods are played too, all scaled alike.
The critical path is made of these durations alone, along the edges that the engine's state holds. What a run
takes beyond it is the engine, the program, the plugins and their polling. That part has its own pace, which
the scale does not change: at AWS's pace it is the same seconds beside longer ones. A resource that waits for
another one without need would show in that part too, so the longest waits are told by name.
"""

from __future__ import annotations

import json
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import yaml
from critical_path import Resource, longest_path, longest_waits, makespan, waits_for
from embedded.faults.durations import DURATIONS
from embedded.node.auto_mode import manifests
from embedded.setup import toolchain
from measurement import BIN, ROOT, Measurement, load, output
from pod_player import PodPlayer

sys.path.insert(0, str(ROOT / "tests" / "cluster"))

from bare_control_plane import WORKLOAD_CONTROLLERS, bare_control_plane

TARGET = "1.05 x"
SCALE = Fraction(1, 6)
"""AWS's pace would be half an hour for both programs; below this one the engine's own seconds are most."""
LIMIT_SECONDS = 3600
"""Ends a deployment that hangs; at AWS's own pace one takes a quarter of an hour."""
JOB_SECONDS = 40.0
"""A Job's pod on a node that has room and the image: its start, the Python imports of Airflow, the SQL."""
READY_SECONDS = 60.0
"""Airflow's components until their probes pass, on nodes that have room and the image."""

AWS_OPERATIONS = {
    "aws:eks/cluster:Cluster": ("eks", "CreateCluster"),
    "aws:eks/addon:Addon": ("eks", "CreateAddon"),
    "aws:rds/instance:Instance": ("rds", "CreateDBInstance"),
    "aws:ec2/natGateway:NatGateway": ("ec2", "CreateNatGateway"),
    "aws:ec2/vpcEndpoint:VpcEndpoint": ("ec2", "CreateVpcEndpoint"),
}
POD_DURATIONS = {
    "kubernetes:batch/v1:Job": JOB_SECONDS,
    "pulumi-python:dynamic/airflow:DatabaseTenant": JOB_SECONDS,
    "kubernetes:helm.sh/v3:Release": READY_SECONDS,
}


def played_seconds(resource: Resource, scale: float) -> float:
    """How long AWS or the pods take for a resource at this scale; 0 for what is made at once."""
    type_ = str(resource["type"])
    if type_ in POD_DURATIONS:
        return POD_DURATIONS[type_] * scale
    if type_ not in AWS_OPERATIONS:
        return 0.0
    service, operation = AWS_OPERATIONS[type_]
    if resource.get("inputs", {}).get("vpcEndpointType") == "Gateway":
        operation += " (Gateway)"
    return DURATIONS[service, operation].seconds * scale


@dataclass(frozen=True)
class _Cloud:
    environment: Mapping[str, str]

    def run(self, *command: str | Path, text: str = "") -> str:
        """Output of a command that must succeed."""
        return output(command, self.environment, LIMIT_SECONDS, text)

    def embedded(self, *arguments: str) -> str:
        return self.run(BIN / "embedded", *arguments)

    def deploy(self, project: str, stack: str) -> list[Resource]:
        """Deploy a stack as a first time; the resources of its state."""
        pulumi = ("run", "--", "pulumi", "--cwd", project)
        self.embedded(*pulumi, "stack", "select", "--create", stack, "--non-interactive")
        self.embedded(*pulumi, "up", "--stack", stack, "--yes", "--skip-preview", "--non-interactive")
        state = json.loads(self.embedded(*pulumi, "stack", "export", "--stack", stack))
        resources: list[Resource] = state["deployment"]["resources"]
        return resources


def own_address() -> str:
    """An address of this machine that is not the loopback's; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


@contextmanager
def cloud(scale: Fraction) -> Iterator[_Cloud]:
    """An embedded cloud on a control plane whose pods are played; gone at the end."""
    tools = toolchain()
    # Paths of sockets may have 107 characters.
    with (
        tempfile.TemporaryDirectory(prefix="makespan-") as place,
        bare_control_plane(tools.kubernetes, Path(place) / "plane", WORKLOAD_CONTROLLERS) as kubeconfig,
        PodPlayer(kubeconfig, JOB_SECONDS * float(scale), READY_SECONDS * float(scale)),
    ):
        made = _Cloud({"XDG_STATE_HOME": f"{place}/state", "KUBECONFIG": str(kubeconfig)})
        made.run(tools.kubectl, "apply", "-f", "-", text=yaml.safe_dump_all(manifests()))
        try:
            made.embedded("up", "--cluster", "kubeconfig", "--advertise", own_address())
            made.embedded("faults", "durations", str(scale))
            yield made
        finally:
            made.embedded("reset")


def figures(stack: str, scale: Fraction = SCALE) -> list[Measurement]:
    """Deploy cluster and environment once each; the ratios of each."""
    before = load()
    try:
        with cloud(scale) as made:
            rows = ratios("cluster", made.deploy("cluster", "shared"), scale, before)
            made.embedded("run", "--", "airflow-env", "chart")
            before = load()
            return rows + ratios(stack, made.deploy(".", stack), scale, before)
    except RuntimeError as error:
        return [Measurement("makespan", f"failed ({error})", TARGET, before)]


def ratios(name: str, resources: Sequence[Resource], scale: Fraction, before: str) -> list[Measurement]:
    """Makespan beside critical path: at AWS's pace, and as it was measured at the scale."""
    edges = waits_for(resources)
    played = {str(one["urn"]): played_seconds(one, float(scale)) for one in resources}
    critical, measured = longest_path(edges, played), makespan(resources)
    full = critical.seconds / float(scale)
    added = measured - critical.seconds
    chain = " > ".join(map(_name, critical.urns))
    waits = ", ".join(f"{_name(urn)} {seconds:.1f} s" for urn, seconds in longest_waits(resources, played, 3))
    return [
        Measurement(
            f"makespan of {name} at AWS's pace: {full + added:.0f} s beside {full:.0f} s ({chain})",
            f"{(full + added) / full:.3f} x",
            TARGET,
            before,
        ),
        Measurement(
            f"  measured at {scale}: {measured:.1f} s beside {critical.seconds:.1f} s; waits: {waits}",
            f"{measured / critical.seconds:.3f} x",
            "-",
            before,
        ),
    ]


def _name(urn: str) -> str:
    return urn.rsplit("::", 1)[-1]


if __name__ == "__main__":
    arguments = sys.argv[1:]
    wanted = Fraction(arguments[1]) if len(arguments) > 1 else SCALE
    for row in figures(arguments[0] if arguments else "prod", wanted):
        print(f"{row.name}\n    {row.value}   at most {row.target}   load before {row.load}")
