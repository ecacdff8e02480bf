"""CPU time of `pulumi preview` for a stack that is not there yet: the whole graph is planned.

    python tests/bench/preview.py [STACK]

The cloud of this checkout runs and has the cluster; prod without an argument.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Mapping

from measurement import BIN, Measurement, load, run
from process_times import measure

ROUNDS = 3
# What other ways of describing the same environment take, measured on this kind of machine: Python CDK 11 s,
# JavaScript CDK 7.3 s, a Pulumi program that only imports the classes 3.5 s.
TARGET = "4.4 s (Python CDK 11, JavaScript CDK 7.3)"
DYNAMIC = "plugin of the dynamic providers"
PROGRAM = "engine, host, program"
KINDS = {
    "embedded.plugins.aws": "aws plugin",
    "embedded.plugins.kubernetes": "kubernetes plugin",
    "embedded run": "embedded cloud",
    "embedded.project_view": "embedded cloud",
    "pulumi-resource-aws": "aws plugin",
    "pulumi-resource-kubernetes": "kubernetes plugin",
    "pulumi.dynamic": DYNAMIC,
    "pulumi-resource-pulumi-python": DYNAMIC,
}


def kind_of(command: list[str]) -> str | None:
    """Plugins and helm by their command lines; the engine, its language host and the program are the rest."""
    if command and command[0].rsplit("/", 1)[-1] == "helm":
        return "helm"
    if command and command[0].rsplit("/", 1)[-1] == "pulumi":
        return PROGRAM
    words = " ".join(command[:4])
    return next((kind for name, kind in KINDS.items() if name in words), None)


def figures(stack: str, variables: Mapping[str, str]) -> list[Measurement]:
    """Preview a stack in the running cloud, a few times; the median of each part's CPU time counts."""
    before = load()
    pulumi = [str(BIN / "embedded"), "run", "--", "pulumi"]
    run([*pulumi, "stack", "select", "--create", stack, "--non-interactive"], variables)
    command = [*pulumi, "preview", "--stack", stack, "--non-interactive"]
    runs = [measure(command, variables, kind_of) for _ in range(ROUNDS)]
    wrong = [times.code for times in runs if times.code != 0]
    if wrong:
        return [Measurement(f"pulumi preview of {stack}, CPU", f"failed ({wrong[0]})", TARGET, before)]

    def median(kind: str) -> str:
        return f"{statistics.median(times.of(kind) for times in runs):.2f} s"

    name = f"preview of {stack}: engine, host, program, CPU"
    plugins = ("aws plugin", "kubernetes plugin", DYNAMIC, "helm")
    return [
        Measurement(name, median(PROGRAM), TARGET, before),
        *(Measurement(f"  {kind}", median(kind), "-", before) for kind in plugins),
    ]


if __name__ == "__main__":
    for row in figures(sys.argv[1] if len(sys.argv) > 1 else "prod", {}):
        print(f"{row.name:48} {row.value:>8}   at most {row.target}   load before {row.load}")
