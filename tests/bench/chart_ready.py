"""How long a release takes to be ready through Pulumi, against bare `helm install` of the same in one run.

    python tests/bench/chart_ready.py STACK

The cloud of this checkout runs, and STACK is deployed in it.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from measurement import BIN, Measurement, load, output

TARGET = "1.25 x helm"
RELEASE = "kubernetes:helm.sh/v3:Release"
# A release that is not ready by then never will be; this bench must end where others wait for the machine.
LIMIT_SECONDS = 300
COMMAND_SECONDS = LIMIT_SECONDS + 60
_CREATED = re.compile(r"helm\.sh/v3:Release \S+ created \(([0-9.]+)s\)")


class _Cloud:
    """Commands in the running cloud that holds a deployed stack."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def run(self, *command: str) -> str:
        """Output of a command that must succeed."""
        return output([BIN / "embedded", "run", "--", *command], self._variables, COMMAND_SECONDS)

    def seconds(self, *command: str) -> float:
        """Wall time of a command that must succeed."""
        start = time.monotonic()
        self.run(*command)
        return time.monotonic() - start


def figures(stack: str, variables: Mapping[str, str]) -> list[Measurement]:
    """Install the deployed stack's release bare, then by Pulumi; the stack is whole again afterwards."""
    cloud, before = _Cloud(variables), load()
    try:
        bare, ours = _measured(cloud, stack)
    except RuntimeError as error:
        return [Measurement("chart ready", f"failed ({error})", TARGET, before)]
    name = f"chart ready, ratio of Pulumi ({ours:.1f} s) to helm ({bare:.1f} s)"
    return [Measurement(name, f"{ours / bare:.2f}", TARGET, before)]


def _measured(cloud: _Cloud, stack: str) -> tuple[float, float]:
    outputs = json.loads(cloud.run("pulumi", "stack", "output", "--json", "--stack", stack))
    release, namespace = outputs["releaseName"], outputs["namespace"]
    urn = _release_urn(json.loads(cloud.run("pulumi", "stack", "export", "--stack", stack)))
    target = ("--stack", stack, "--target", urn, "--yes", "--skip-preview", "--non-interactive")
    with tempfile.TemporaryDirectory() as directory:
        values = Path(directory) / "values.json"
        # They name Secrets and hold none, so a file of this run may hold them.
        values.write_text(cloud.run("helm", "get", "values", release, "-n", namespace, "-o", "json"))
        cloud.run("pulumi", "destroy", *target)
        _until_no_pods(cloud, namespace)
        install = ("helm", "install", release, ".charts/airflow", "-n", namespace, "--values", str(values))
        bare = cloud.seconds(*install, "--wait", "--timeout", f"{LIMIT_SECONDS}s")
        cloud.run("helm", "uninstall", release, "-n", namespace, "--wait")
    _until_no_pods(cloud, namespace)
    return bare, _duration(cloud.run("pulumi", "up", *target))


def _release_urn(state: Mapping[str, object]) -> str:
    resources = state["deployment"]["resources"]  # type: ignore[index,call-overload]
    (urn,) = [item["urn"] for item in resources if item["type"] == RELEASE]
    return str(urn)


def _until_no_pods(cloud: _Cloud, namespace: str) -> None:
    """Both installations start without old pods, which would share the processors with them."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while left := cloud.run("kubectl", "get", "pods", "-n", namespace, "-o", "name", "-l", "release").split():
        if time.monotonic() > deadline:
            raise RuntimeError(f"pods do not end: {', '.join(left)}")
        time.sleep(1)


def _duration(said: str) -> float:
    """Seconds that the engine reports for the creation of the release."""
    found = _CREATED.search(said)
    if found is None:
        raise RuntimeError("the engine reported no creation of the release")
    return float(found[1])


if __name__ == "__main__":
    for row in figures(sys.argv[1], {}):
        print(f"{row.name:64} {row.value:>8}   at most {row.target}   load {row.load}")
