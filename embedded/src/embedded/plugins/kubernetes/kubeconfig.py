"""Kubeconfigs: which cluster, as whom, in which namespace.

The generated Kubernetes client reads them too, but importing it costs more processor time than this whole
plugin needs to start; the file format is small and frozen.
"""

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from embedded.plugins.common.errors import PluginError


@dataclass(frozen=True)
class ExecPlugin:
    """A command that prints a credential, such as `aws eks get-token`."""

    api_version: str
    command: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    provide_cluster_info: bool = False
    install_hint: str = ""


@dataclass(frozen=True)
class Access:
    """Everything that a connection to one cluster needs. Certificates and keys are PEM text."""

    server: str
    namespace: str | None = None
    authority: str | None = None
    verify: bool = True
    tls_server_name: str | None = None
    proxy_url: str | None = None
    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    client_certificate: str | None = None
    client_key: str | None = field(default=None, repr=False)
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    exec_plugin: ExecPlugin | None = None


def default_kubeconfig() -> str:
    """What applies when the provider is given none: KUBECONFIG, else ~/.kube/config."""
    return os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")


def load(path_or_text: str) -> dict[str, Any]:
    """The kubeconfig as a mapping, from its text (YAML or JSON) or the path of its file.

    A list of paths, as KUBECONFIG may hold, is merged: the first file that says something wins.
    Raises PluginError when there is no such file, or it is no kubeconfig.
    """
    if "\n" in path_or_text or path_or_text.lstrip().startswith("{"):
        return _parse(path_or_text, Path.cwd(), "the text given as kubeconfig")
    merged: dict[str, Any] = {}
    paths = [Path(part).expanduser() for part in path_or_text.split(os.pathsep) if part]
    found = [path for path in paths if path.is_file()]
    if not found:
        raise PluginError(
            f"there is no kubeconfig at {path_or_text}; set the provider's kubeconfig or the environment "
            "variable KUBECONFIG to the path or the text of one"
        )
    for path in found:
        _merge(merged, _parse(path.read_text(), path.parent, str(path)))
    return merged


def _parse(text: str, directory: Path, source: str) -> dict[str, Any]:
    try:
        config = yaml.safe_load(text)
    except yaml.YAMLError as error:
        # The parser quotes the offending line, which may be a token; only its position is told.
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise PluginError(f"{source} is neither YAML nor JSON{where}") from None
    if not isinstance(config, dict):
        raise PluginError(f"{source} is no kubeconfig: clusters, users and contexts are expected in it")
    _resolve_paths(config, directory)
    return config


def _resolve_paths(config: dict[str, Any], directory: Path) -> None:
    """Make relative file names absolute; a kubeconfig means them relative to itself."""
    for section, inner, names in (
        ("clusters", "cluster", ("certificate-authority",)),
        ("users", "user", ("client-certificate", "client-key", "tokenFile")),
    ):
        for item in config.get(section) or []:
            entry = item.get(inner) or {}
            for name in names:
                if entry.get(name):
                    entry[name] = str(directory / entry[name])


def _merge(into: dict[str, Any], other: dict[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, list):
            known = {item.get("name") for item in into.get(key) or []}
            into[key] = (into.get(key) or []) + [item for item in value if item.get("name") not in known]
        elif not into.get(key):
            into[key] = value


def _named(config: dict[str, Any], section: str, inner: str, name: str) -> dict[str, Any]:
    items = config.get(section) or []
    for item in items:
        if item.get("name") == name:
            return item.get(inner) or {}
    names = ", ".join(sorted(str(item.get("name")) for item in items)) or "none"
    raise PluginError(f"the kubeconfig has no {inner} named {name!r}; it has: {names}")


def active_cluster(config: dict[str, Any], context: str | None, cluster: str | None) -> dict[str, Any]:
    """The cluster entry in use; empty when the kubeconfig names none."""
    try:
        return _named(config, "clusters", "cluster", _cluster_name(config, context, cluster))
    except PluginError:
        return {}


def _context(config: dict[str, Any], context: str | None) -> dict[str, Any]:
    name = context or config.get("current-context")
    if not name:
        raise PluginError("the kubeconfig has no current-context; set the provider's context")
    return _named(config, "contexts", "context", name)


def _cluster_name(config: dict[str, Any], context: str | None, cluster: str | None) -> str:
    return cluster or str(_context(config, context).get("cluster"))


def access(config: dict[str, Any], context: str | None = None, cluster: str | None = None) -> Access:
    """The connection that a kubeconfig's current (or given) context describes.

    Raises PluginError that names what the kubeconfig lacks or what is not supported of it.
    """
    chosen = _context(config, context)
    server = _named(config, "clusters", "cluster", _cluster_name(config, context, cluster))
    user = _named(config, "users", "user", str(chosen["user"])) if chosen.get("user") else {}
    if not server.get("server"):
        raise PluginError("the kubeconfig's cluster has no server address")
    if user.get("auth-provider"):
        raise PluginError(
            "kubeconfigs with auth-provider are not supported; Kubernetes itself dropped them for exec"
        )
    token_file = user.get("tokenFile")
    return Access(
        server=str(server["server"]).rstrip("/"),
        namespace=chosen.get("namespace"),
        authority=_pem(server, "certificate-authority"),
        verify=not server.get("insecure-skip-tls-verify"),
        tls_server_name=server.get("tls-server-name"),
        proxy_url=server.get("proxy-url"),
        token=user.get("token"),
        token_file=Path(token_file) if token_file else None,
        client_certificate=_pem(user, "client-certificate"),
        client_key=_pem(user, "client-key"),
        username=user.get("username"),
        password=user.get("password"),
        exec_plugin=_exec_plugin(user.get("exec")),
    )


def _pem(entry: dict[str, Any], name: str) -> str | None:
    data = entry.get(f"{name}-data")
    if data:
        return base64.b64decode(data).decode()
    path = entry.get(name)
    if not path:
        return None
    try:
        return Path(path).read_text()
    except OSError as error:
        raise PluginError(f"the kubeconfig's {name} file cannot be read: {error}") from None


def _exec_plugin(entry: dict[str, Any] | None) -> ExecPlugin | None:
    if not entry:
        return None
    return ExecPlugin(
        api_version=str(entry.get("apiVersion") or "client.authentication.k8s.io/v1"),
        command=str(entry.get("command")),
        arguments=tuple(str(item) for item in entry.get("args") or []),
        environment={str(item["name"]): str(item["value"]) for item in entry.get("env") or []},
        provide_cluster_info=bool(entry.get("provideClusterInfo")),
        install_hint=str(entry.get("installHint") or ""),
    )
