"""The node's configuration files: written once, and consistent with each other."""

from __future__ import annotations

import json
import tomllib
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from embedded.environment import merged
from embedded.identity import CloudIdentity
from embedded.node.configuration import write_configuration
from embedded.node.credentials import ensure_credentials
from embedded.node.layout import NodeLayout
from embedded.setup import Toolchain


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NodeLayout:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    layout = NodeLayout(CloudIdentity.of(tmp_path))
    _write(layout)
    return layout


def _write(layout: NodeLayout) -> None:
    ensure_credentials(layout)
    write_configuration(layout, _tools())


def _tools() -> Toolchain:
    place = Path("/opt/tools")
    return Toolchain(
        pulumi=place / "pulumi",
        helm=place / "helm",
        kubectl=place / "kubectl",
        kubernetes=place / "kubernetes",
        coredns=place / "coredns",
        images={},
        postgres_directory=place,
        containerd=place / "containerd",
        runc=place / "runc",
        cni_directory=place / "cni",
    )


def test_a_second_start_touches_no_file(layout: NodeLayout) -> None:
    """kube-proxy ends itself when its file is rewritten, even with the same content."""
    files = [path for path in layout.identity.state_directory.rglob("*") if path.is_file()]
    before = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}
    _write(layout)
    touched = [
        path.name
        for path, was in before.items()
        if (path.stat().st_ino, path.stat().st_mtime_ns) != was and path.name != ".lock"
    ]
    assert touched == []


def test_nothing_of_the_state_is_for_others_to_read(layout: NodeLayout) -> None:
    readable = [
        path.name
        for path in layout.identity.state_directory.rglob("*")
        if path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o077
    ]
    # Certificates, DNS settings and names of databases are no secrets; pods and Postgres read them.
    assert all(name.endswith((".crt", ".conf", ".hosts", ".lock")) for name in readable)


@pytest.mark.parametrize(
    ("user", "name", "groups"),
    [
        ("kubelet", "system:node:{node}", ["system:nodes"]),
        ("kube-proxy", "system:kube-proxy", []),
        ("kube-scheduler", "system:kube-scheduler", []),
        ("kube-controller-manager", "system:kube-controller-manager", []),
        ("coredns", "system:coredns", []),
    ],
)
def test_components_are_who_the_authorizers_expect(
    layout: NodeLayout, user: str, name: str, groups: list[str]
) -> None:
    """Names: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#core-component-roles and
    https://kubernetes.io/docs/reference/access-authn-authz/node/"""
    kubeconfig = yaml.safe_load(layout.kubeconfig(user).read_text())
    client = kubeconfig["users"][0]["user"]["client-certificate"]
    subject = x509.load_pem_x509_certificate(Path(client).read_bytes()).subject
    told = [str(one.value) for one in subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)]
    [common] = subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    assert (common.value, told) == (name.format(node=layout.identity.node_name), groups)


def test_pods_get_addresses_that_kube_proxy_takes_for_local(layout: NodeLayout) -> None:
    cni = json.loads((layout.cni_configuration / "10-pods.conflist").read_text())
    proxy = yaml.safe_load((layout.configuration / "kube-proxy.yaml").read_text())
    subnet = ip_network(cni["plugins"][0]["ipam"]["ranges"][0][0]["subnet"])
    assert subnet.subnet_of(ip_network(proxy["clusterCIDR"]))
    kubelet = yaml.safe_load((layout.configuration / "kubelet.yaml").read_text())
    assert kubelet["maxPods"] < subnet.num_addresses - 3
    assert ip_address(kubelet["clusterDNS"][0]) not in subnet


def test_kubelet_and_containerd_mean_the_same_socket_and_state(layout: NodeLayout) -> None:
    containerd = tomllib.loads((layout.configuration / "containerd.toml").read_text())
    kubelet = yaml.safe_load((layout.configuration / "kubelet.yaml").read_text())
    assert kubelet["containerRuntimeEndpoint"] == f"unix://{containerd['grpc']['address']}"
    for place in (containerd["root"], containerd["state"], kubelet["podLogsDir"]):
        assert layout.identity.state_directory in Path(place).parents


def test_clouds_side_by_side_have_control_groups_of_their_own(layout: NodeLayout) -> None:
    other = NodeLayout(CloudIdentity.of(Path("/another/checkout")))
    kubelet = yaml.safe_load((layout.configuration / "kubelet.yaml").read_text())
    assert kubelet["cgroupRoot"] != other.cgroup


def test_a_real_accounts_variables_do_not_reach_the_cloud() -> None:
    callers = {
        "AWS_PROFILE": "work",
        "AWS_SESSION_TOKEN": "t",
        "PULUMI_ACCESS_TOKEN": "t",
        "KUBECONFIG": "/home/me/.kube/config",
        "EDITOR": "vi",
    }
    assert merged({"AWS_REGION": "eu-west-1"}, callers) == {"AWS_REGION": "eu-west-1", "EDITOR": "vi"}
