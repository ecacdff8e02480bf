"""CPU time of `pulumi preview` for a stack that is not there yet: the whole graph is planned."""

from __future__ import annotations

from collections.abc import Mapping

from measurement import BIN, Measurement, load, run
from process_times import measure

ROUNDS = 3
# What other ways of describing the same environment take, measured on this kind of machine: Python CDK 11 s,
# JavaScript CDK 7.3 s, a Pulumi program that only imports the classes 3.5 s.
TARGET = "4.4 s (Python CDK 11, JavaScript CDK 7.3)"
KINDS = {
    "embedded.plugins.aws": "aws plugin",
    "embedded.plugins.kubernetes": "kubernetes plugin",
    "embedded run": "embedded cloud",
    "embedded.project_view": "embedded cloud",
    "pulumi-resource-aws": "aws plugin",
    "pulumi-resource-kubernetes": "kubernetes plugin",
}


def kind_of(command: list[str]) -> str | None:
    """Plugins and helm by their command lines; the engine, its language host and the program are the rest."""
    if command and command[0].rsplit("/", 1)[-1] == "helm":
        return "helm"
    if command and command[0].rsplit("/", 1)[-1] == "pulumi":
        return "engine, host, program"
    words = " ".join(command[:4])
    return next((kind for name, kind in KINDS.items() if name in words), None)


def figures(stack: str, variables: Mapping[str, str]) -> list[Measurement]:
    """Preview a stack in the running cloud, a few times; the least CPU time of each part counts."""
    before = load()
    pulumi = [str(BIN / "embedded"), "run", "--", "pulumi"]
    run([*pulumi, "stack", "select", "--create", stack, "--non-interactive"], variables)
    command = [*pulumi, "preview", "--stack", stack, "--non-interactive"]
    runs = [measure(command, variables, kind_of) for _ in range(ROUNDS)]
    wrong = [times.code for times in runs if times.code != 0]
    if wrong:
        return [Measurement(f"pulumi preview of {stack}, CPU", f"failed ({wrong[0]})", TARGET, before)]

    def least(*kinds: str) -> str:
        return f"{min(times.of(*kinds) for times in runs):.2f} s"

    return [
        Measurement(
            f"preview of {stack}: engine, host, program, CPU", least("engine, host, program"), TARGET, before
        ),
        Measurement("  aws plugin", least("aws plugin"), "-", before),
        Measurement("  kubernetes plugin", least("kubernetes plugin"), "-", before),
        Measurement("  helm", least("helm"), "-", before),
    ]
