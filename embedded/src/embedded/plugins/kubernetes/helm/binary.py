"""Runs helm: which binary, with which kubeconfig, and no secret in a process list or on disk."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from embedded.plugins.common.errors import PluginError
from embedded.plugins.common.properties import JsonMap
from embedded.plugins.kubernetes import kubeconfig as kubeconfigs
from embedded.plugins.kubernetes.helm.release import Release, install_flags, upgrade_flags
from embedded.plugins.kubernetes.settings import Settings
from embedded.plugins.kubernetes.waiting.patience import CancelledError

BINARY_VARIABLE = "HELM_BIN"
_CANCEL_POLL_SECONDS = 0.2
# On a signal helm notes the failure in the release's record, which needs the API server.
_GRACE_SECONDS = 30.0
_PATH_VARIABLES = {
    "pluginsPath": "HELM_PLUGINS",
    "registryConfigPath": "HELM_REGISTRY_CONFIG",
    "repositoryConfigPath": "HELM_REPOSITORY_CONFIG",
    "repositoryCache": "HELM_REPOSITORY_CACHE",
}
_NOT_FOUND = "release: not found"


class HelmError(PluginError):
    """helm ended with an error; the text is its own."""

    @property
    def is_not_found(self) -> bool:
        """There is no release of that name."""
        return _NOT_FOUND in str(self)

    @property
    def is_unreachable(self) -> bool:
        """The API server did not answer helm's first question."""
        return "cluster unreachable" in str(self)


def binary() -> str:
    """The helm to run: HELM_BIN, else the first on PATH. Raises PluginError when there is none."""
    wanted = os.environ.get(BINARY_VARIABLE) or "helm"
    found = shutil.which(wanted)
    if found is None:
        raise PluginError(
            f"{wanted} is not on PATH; install helm, or set {BINARY_VARIABLE} to the path of its binary"
        )
    return found


class Helm:
    """helm against one cluster. Values go in by standard input and the kubeconfig by memory file."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def show_chart(self, release: Release) -> str:
        """The Chart.yaml of the release's chart."""
        with self._chart_arguments(release) as chart:
            return self._run(["show", "chart", *chart], needs_cluster=False)

    def template(self, release: Release) -> str:
        """The manifest that the chart renders to; checks the values against the chart's schema."""
        with self._chart_arguments(release) as chart:
            command = ["template", release.name, *chart, "--namespace", release.namespace, "--values", "-"]
            return self._run(command, release.values, needs_cluster=False)

    def lint(self, release: Release, path: Path) -> None:
        """Check a chart on disk with the release's values."""
        command = ["lint", str(path), "--namespace", release.namespace, "--values", "-"]
        self._run(command, release.values, needs_cluster=False)

    def install(self, release: Release, cancelled: threading.Event) -> None:
        """`helm install`."""
        self._deploy(["install", *install_flags(release)], release, cancelled)

    def upgrade(self, release: Release, cancelled: threading.Event, install: bool = False) -> None:
        """`helm upgrade`, with `--install` on demand."""
        self._deploy(["upgrade", *upgrade_flags(release, install)], release, cancelled)

    def _deploy(self, command: list[str], release: Release, cancelled: threading.Event) -> None:
        with self._chart_arguments(release) as chart:
            full = [*command, release.name, *chart, "--namespace", release.namespace, "--values", "-"]
            self._run(full, release.values, cancelled)

    def status(self, name: str, namespace: str) -> JsonMap | None:
        """The release's record (info, config, manifest, version), or None when there is none."""
        return self._json(["status", name, "--namespace", namespace])

    def metadata(self, name: str, namespace: str) -> JsonMap | None:
        """Chart, version and appVersion of the release, or None when there is none."""
        return self._json(["get", "metadata", name, "--namespace", namespace])

    def _json(self, command: list[str]) -> JsonMap | None:
        try:
            answer = json.loads(self._run([*command, "--output", "json"]))
        except HelmError as error:
            if error.is_not_found:
                return None
            raise
        return answer if isinstance(answer, dict) else None

    def uninstall(
        self, name: str, namespace: str, timeout_seconds: int | None, cancelled: threading.Event
    ) -> None:
        """`helm uninstall`; with a time-out it returns when the objects and their pods are gone."""
        waiting = [] if timeout_seconds is None else ["--wait", "--timeout", f"{timeout_seconds}s"]
        cascade = ["--cascade", "foreground"] if waiting else []
        self._run(["uninstall", name, "--namespace", namespace, *waiting, *cascade], None, cancelled)

    @contextlib.contextmanager
    def _chart_arguments(self, release: Release) -> Iterator[list[str]]:
        """The chart and where it comes from, as arguments."""
        options = release.repository
        flags = []
        for name, flag in (("caFile", "--ca-file"), ("certFile", "--cert-file"), ("keyFile", "--key-file")):
            flags += [flag, options[name]] if options.get(name) else []
        flags += ["--dependency-update"] if release.is_set("dependencyUpdate") else []
        flags += (
            ["--verify", "--keyring", release.inputs.get("keyring") or ""] if release.is_set("verify") else []
        )
        if release.inputs.get("version"):
            flags += ["--version", release.inputs["version"]]
        elif release.is_set("devel"):
            flags.append("--devel")
        repository = options.get("repo")
        if not repository:
            yield [release.chart, *flags]
        elif not options.get("password"):
            yield [release.chart, "--repo", repository, *flags]
        else:
            with tempfile.TemporaryDirectory(prefix="helm-") as directory:
                # Only this way helm takes a password that is not on its command line.
                config = ["--repository-config", f"{directory}/repositories.yaml"]
                cache = ["--repository-cache", f"{directory}/cache"]
                user = ["--username", options.get("username") or "", "--password-stdin"]
                self._run(
                    ["repo", "add", "own", repository, *user, *config, *cache],
                    options["password"],
                    needs_cluster=False,
                )
                yield [f"own/{release.chart}", *config, *cache, *flags]

    def _environment(self, kubeconfig: str) -> dict[str, str]:
        environment = {**os.environ, "KUBECONFIG": kubeconfig}
        if self._settings.helm_driver:
            environment["HELM_DRIVER"] = self._settings.helm_driver
        for name, variable in _PATH_VARIABLES.items():
            if self._settings.helm_paths.get(name):
                environment[variable] = self._settings.helm_paths[name]
        return environment

    def _run(
        self,
        command: Sequence[str],
        stdin: object = None,
        cancelled: threading.Event | None = None,
        needs_cluster: bool = True,
    ) -> str:
        """Run helm and return what it printed. A mapping as `stdin` goes in as JSON, which is YAML.

        Raises HelmError with helm's words, CancelledError when the engine cancelled it.
        """
        text = stdin if isinstance(stdin, str) else json.dumps(stdin) if stdin is not None else ""
        with _memory_file(_kubeconfig_text(self._settings) if needs_cluster else "") as (descriptor, path):
            process = subprocess.Popen(
                [*_until_plugin_ends(), binary(), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=self._environment(path),
                pass_fds=(descriptor,),
            )
            output, errors = _communicate(process, text, cancelled)
        if cancelled is not None and cancelled.is_set() and process.returncode != 0:
            raise CancelledError
        if process.returncode != 0:
            raise HelmError(_reason(errors or output))
        return output


def _until_plugin_ends() -> list[str]:
    """What makes the kernel end helm with the plugin, also with one that is killed.

    Nobody would take its answer, and it would work against the next run. On SIGTERM it notes in its record
    that it failed.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []


def _communicate(
    process: "subprocess.Popen[str]", text: str, cancelled: threading.Event | None
) -> tuple[str, str]:
    """Talk to helm until it ends; a cancellation asks it to stop, and waits for it to do so."""
    pending: str | None = text
    asked = False
    while True:
        try:
            return process.communicate(pending, timeout=_GRACE_SECONDS if asked else _CANCEL_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            pending = None
            if asked:
                process.kill()
            elif cancelled is not None and cancelled.is_set():
                process.terminate()
                asked = True


def _reason(errors: str) -> str:
    """helm's message without its warnings and its prefix, and without repetitions.

    An API server that goes away fails every request that is under way, each with a line of its own.
    """
    text = errors.strip()
    _, found, reason = text.rpartition("Error: ")
    lines = (reason if found else text).strip().splitlines()
    return "\n".join(dict.fromkeys(lines))


def _kubeconfig_text(settings: Settings) -> str:
    config = kubeconfigs.load(settings.kubeconfig or kubeconfigs.default_kubeconfig())
    if settings.context:
        config["current-context"] = settings.context
    if settings.cluster:
        for item in config.get("contexts") or []:
            if item.get("name") == config.get("current-context"):
                item["context"]["cluster"] = settings.cluster
    text: Any = yaml.safe_dump(config)
    return str(text)


@contextlib.contextmanager
def _memory_file(text: str) -> Iterator[tuple[int, str]]:
    """A file that exists in memory only: its descriptor, and the path under which a child opens it."""
    descriptor = os.memfd_create("kubeconfig", 0)
    try:
        os.fchmod(descriptor, 0o600)
        os.write(descriptor, text.encode())
        yield descriptor, f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
