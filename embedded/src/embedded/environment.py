"""The environment in which everything that is meant for AWS speaks to the embedded cloud instead."""

from __future__ import annotations

import os
import secrets
import shlex
import ssl
import sys
from collections.abc import Mapping
from pathlib import Path

from embedded import resolver
from embedded.aws_api.deployer import deployer_credentials
from embedded.files import write_if_changed, write_private
from embedded.identity import CloudIdentity
from embedded.node.layout import NodeLayout
from embedded.plugins.install import install
from embedded.setup import Toolchain

REGION = "eu-west-1"
# A real account's variables beside the cloud's own would win or mix, and reach real resources.
_DEBIANS_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
_REMOVED_PREFIXES = ("AWS_", "PULUMI_", "HELM_", "KUBE")


def environment_for(identity: CloudIdentity, toolchain: Toolchain) -> dict[str, str]:
    """The variables that `embedded run` sets, and the files they name, which are made when missing.

    Raises:
        EmbeddedError: the cloud was never started, so that its account has no deployer yet.
    """
    deployer = deployer_credentials(identity)
    state = identity.state_directory
    pulumi = state / "pulumi"
    programs = _write_programs(identity, toolchain)
    install(pulumi / "home")
    (pulumi / "backend").mkdir(mode=0o700, parents=True, exist_ok=True)
    environment = {
        "PATH": _path([programs, Path(sys.prefix) / "bin"]),
        "VIRTUAL_ENV": sys.prefix,
        "XDG_STATE_HOME": str(identity.state_home),
        "AWS_ENDPOINT_URL": identity.aws_endpoint_url,
        "AWS_CA_BUNDLE": str(identity.certificate_authority),
        "AWS_ACCESS_KEY_ID": deployer.access_key_id,
        "AWS_SECRET_ACCESS_KEY": deployer.secret_access_key,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        # Neither the user's profiles nor a machine's role may mix in.
        "AWS_CONFIG_FILE": str(state / "aws" / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(state / "aws" / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "PULUMI_HOME": str(pulumi / "home"),
        "PULUMI_BACKEND_URL": f"file://{pulumi / 'backend'}",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(_passphrase(pulumi)),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        # A plugin that is missing is a mistake of the cloud, not a reason to ask the internet.
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "KUBECONFIG": str(identity.administrator_kubeconfig),
        "RDS_CA_BUNDLE": str(identity.certificate_authority),
        # Taken when the official chart is neither at hand nor to be had, and said on every run.
        "AIRFLOW_CHART_STANDIN": str(identity.checkout / "embedded" / "charts" / "airflow"),
        "HELM_CACHE_HOME": str(state / "helm" / "cache"),
        "HELM_CONFIG_HOME": str(state / "helm" / "configuration"),
        "HELM_DATA_HOME": str(state / "helm" / "data"),
    }
    return {
        **environment,
        **_proxy_exceptions(identity, os.environ),
        **_load_balancers(identity, os.environ),
    }


def merged(own: Mapping[str, str], callers: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment, where what concerns AWS, Pulumi, Helm and Kubernetes is the cloud's."""
    kept = {name: value for name, value in callers.items() if not name.startswith(_REMOVED_PREFIXES)}
    # A program of the checkout must not be started by another Python's modules.
    kept.pop("PYTHONHOME", None)
    return {**kept, **own}


def _path(first: list[Path]) -> str:
    added = [str(directory) for directory in first]
    present = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join([*added, *(one for one in present if one and one not in added)])


def _write_programs(identity: CloudIdentity, toolchain: Toolchain) -> Path:
    """The directory with the cloud's `pulumi`, and links to the other tools."""
    directory = identity.state_directory / "bin"
    words = [
        sys.executable,
        # -P: a file of the current directory must not be taken for a module.
        *("-P", "-m", "embedded.project_view"),
        *("--checkout", str(identity.checkout)),
        *("--engine", str(toolchain.pulumi)),
        "--",
    ]
    write_if_changed(directory / "pulumi", f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', 0o700)
    for name, target in (("helm", toolchain.helm), ("kubectl", toolchain.kubectl)):
        link = directory / name
        if not link.is_symlink() or link.readlink() != target:
            link.unlink(missing_ok=True)
            link.symlink_to(target)
    return directory


def _load_balancers(identity: CloudIdentity, callers: Mapping[str, str]) -> dict[str, str]:
    """Names and certificates of load balancers are known, as to anybody beside AWS's.

    Other certificates stay trusted: what runs inside may have business elsewhere too.
    """
    trusted = identity.state_directory / "trusted-certificates.pem"
    defaults = ssl.get_default_verify_paths()
    present = Path(callers.get("SSL_CERT_FILE") or defaults.cafile or _DEBIANS_CERTIFICATES)
    # Inside of `embedded run` it is the caller's already.
    if present != trusted:
        files = [one for one in (present, identity.certificate_authority) if one.is_file()]
        write_if_changed(trusted, "\n".join(one.read_text() for one in files), 0o644)
    directory = str(Path(resolver.__file__).parent)
    modules = [one for one in callers.get("PYTHONPATH", "").split(os.pathsep) if one and one != directory]
    return {
        "SSL_CERT_FILE": str(trusted),
        "PYTHONPATH": os.pathsep.join([directory, *modules]),
        "EMBEDDED_HOSTS": str(NodeLayout(identity).load_balancer_hosts),
    }


def _passphrase(directory: Path) -> Path:
    """The file with the passphrase of this cloud's stacks, made once."""
    path = directory / "passphrase"
    if not path.exists():
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, secrets.token_urlsafe(32).encode())
    return path


def _proxy_exceptions(identity: CloudIdentity, callers: Mapping[str, str]) -> dict[str, str]:
    """No proxy between the tools and the cloud. Some tools read single addresses only, others ranges."""
    own = [identity.host_address, identity.node_address, str(identity.block)]
    names = ("NO_PROXY", "no_proxy")
    present = next((callers[name] for name in names if callers.get(name)), "")
    value = ",".join([*([present] if present else []), *own])
    return dict.fromkeys(names, value)
