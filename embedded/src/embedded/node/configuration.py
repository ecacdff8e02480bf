"""Configuration files of containerd, CNI, kubelet, kube-proxy and CoreDNS."""

from __future__ import annotations

import json
from typing import Any

from embedded.files import write_if_changed
from embedded.images.versions import PAUSE_REFERENCE
from embedded.node.layout import DAEMONS, NodeLayout
from embedded.setup.toolchain import Toolchain

CLUSTER_DOMAIN = "cluster.local"
KUBE_PROXY_HEALTH_PORT = 10256
COREDNS_READY_PORT = 8181
# Room for the pod address range of 254 and the machine it runs on; the kubelet's own default.
_MAXIMUM_PODS = 110


def write_configuration(layout: NodeLayout, tools: Toolchain) -> None:
    """Write every file that has changed, and the links by which the daemons are started."""
    _link_daemons(layout, tools)
    configuration = layout.configuration
    write_if_changed(configuration / "containerd.toml", _containerd(layout, tools))
    write_if_changed(layout.cni_configuration / "10-pods.conflist", _json(_cni(layout)))
    # What pods with dnsPolicy "Default" get: the machine's own servers cannot be reached from the node.
    write_if_changed(configuration / "resolv.conf", f"nameserver {layout.identity.node_address}\n", 0o644)
    write_if_changed(configuration / "kubelet.yaml", _json(_kubelet(layout)))
    write_if_changed(configuration / "kube-proxy.yaml", _json(_kube_proxy(layout)))
    write_if_changed(configuration / "Corefile", _corefile(layout))
    if not layout.database_hosts.exists():
        write_if_changed(layout.database_hosts, "", 0o644)


def _link_daemons(layout: NodeLayout, tools: Toolchain) -> None:
    layout.programs.mkdir(mode=0o700, parents=True, exist_ok=True)
    for daemon in DAEMONS:
        link = layout.programs / daemon
        if not link.is_symlink() or link.readlink() != tools.kubernetes:
            link.unlink(missing_ok=True)
            link.symlink_to(tools.kubernetes)


def _json(document: dict[str, Any]) -> str:
    # JSON is YAML, and needs no choice of a style.
    return json.dumps(document, indent=2) + "\n"


def _containerd(layout: NodeLayout, tools: Toolchain) -> str:
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    return f"""version = 2
root = "{layout.containerd_root}"
state = "{layout.containerd_state}"
disabled_plugins = [
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.aufs",
]

[grpc]
  address = "{layout.containerd_socket}"

[plugins."io.containerd.internal.v1.opt"]
  path = "{layout.containerd_root}/opt"

[{cri}]
  sandbox_image = "{PAUSE_REFERENCE}"
  netns_mounts_under_state_dir = true
  tolerate_missing_hugetlb_controller = true
  disable_apparmor = true
  # Lowering the score needs CAP_SYS_RESOURCE, which the machine may withhold; every sandbox fails then.
  restrict_oom_score_adj = true

  [{cri}.containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"

    [{cri}.containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

      [{cri}.containerd.runtimes.runc.options]
        BinaryName = "{tools.runc}"
        SystemdCgroup = false

  [{cri}.cni]
    bin_dir = "{tools.cni_directory}"
    conf_dir = "{layout.cni_configuration}"
"""


def _cni(layout: NodeLayout) -> dict[str, Any]:
    """Point-to-point links: unlike a bridge they need no hairpin mode and no bridge netfilter."""
    addresses = {
        "type": "host-local",
        "dataDir": str(layout.address_leases),
        "ranges": [[{"subnet": layout.identity.pod_cidr}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    return {
        "cniVersion": "0.4.0",
        # The name is part of what libcni stores outside of the state directory; see `containers.residue`.
        "name": layout.identity.name,
        "plugins": [
            {"type": "ptp", "ipMasq": False, "mtu": 1400, "ipam": addresses},
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def _kubelet(layout: NodeLayout) -> dict[str, Any]:
    identity = layout.identity
    authority = str(identity.certificate_authority)
    certificates = identity.certificate_authority.parent
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
        "address": identity.node_address,
        "healthzBindAddress": "127.0.0.1",
        "tlsCertFile": str(certificates / "kubelet.crt"),
        "tlsPrivateKeyFile": str(certificates / "kubelet.key"),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": authority},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": layout.cgroup,
        # Machines of CI services still come with the first version of cgroups.
        "failCgroupV1": False,
        "failSwapOn": False,
        # Lower scores need CAP_SYS_RESOURCE.
        "oomScoreAdj": 0,
        "clusterDomain": CLUSTER_DOMAIN,
        "clusterDNS": [identity.node_address],
        "resolvConf": str(layout.configuration / "resolv.conf"),
        "podLogsDir": str(layout.pod_logs),
        "volumePluginDir": str(layout.volume_plugins),
        "maxPods": _MAXIMUM_PODS,
        "serializeImagePulls": False,
        # Images come from the disk and cannot be pulled again: never collected, whatever the disk's use.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "enforceNodeAllocatable": ["pods"],
    }


def _kube_proxy(layout: NodeLayout) -> dict[str, Any]:
    identity = layout.identity
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clientConnection": {"kubeconfig": str(layout.kubeconfig("kube-proxy"))},
        "clusterCIDR": identity.pod_cidr,
        "healthzBindAddress": f"{identity.node_address}:{KUBE_PROXY_HEALTH_PORT}",
        "metricsBindAddress": "127.0.0.1:10249",
        "oomScoreAdj": 0,
        # Limits of connection tracking belong to the machine and cannot be set from a namespace.
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
        "iptables": {"minSyncPeriod": "0.2s", "syncPeriod": "30s"},
    }


def _corefile(layout: NodeLayout) -> str:
    """One block for each kind of name; CoreDNS takes the block with the longest matching suffix.

    Names of AWS are answered from the hosts file that the AWS API writes. All other names do not exist,
    said at once: resolvers in pods would otherwise wait for servers that nobody can reach.
    """
    node = layout.identity.node_address
    return f"""amazonaws.com:53 {{
  bind {node}
  errors
  hosts {layout.database_hosts} {{
    ttl 5
    reload 2s
    no_reverse
    fallthrough
  }}
  template ANY ANY {{
    rcode NXDOMAIN
  }}
}}

{CLUSTER_DOMAIN}:53 in-addr.arpa:53 {{
  bind {node}
  errors
  cache 5
  kubernetes {CLUSTER_DOMAIN} in-addr.arpa {{
    kubeconfig {layout.kubeconfig("coredns")}
    pods insecure
    ttl 5
  }}
}}

.:53 {{
  bind {node}
  errors
  ready {node}:{COREDNS_READY_PORT}
  template ANY ANY {{
    rcode NXDOMAIN
  }}
}}
"""
