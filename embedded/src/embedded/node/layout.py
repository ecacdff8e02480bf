"""Where the node keeps its files, below the cloud's state directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from embedded.identity import CloudIdentity

DAEMONS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")


@dataclass(frozen=True)
class NodeLayout:
    """Paths of the node of one cloud."""

    identity: CloudIdentity

    @property
    def base(self) -> Path:
        return self.identity.node_directory

    @property
    def programs(self) -> Path:
        """Links named after the daemons; the binary behind them asks by which name it was called."""
        return self.base / "bin"

    @property
    def configuration(self) -> Path:
        return self.base / "configuration"

    @property
    def cni_configuration(self) -> Path:
        return self.configuration / "cni"

    @property
    def etcd_data(self) -> Path:
        return self.base / "etcd"

    @property
    def kubelet_data(self) -> Path:
        return self.base / "kubelet"

    @property
    def volume_plugins(self) -> Path:
        return self.kubelet_data / "volume-plugins"

    @property
    def pod_logs(self) -> Path:
        return self.identity.logs_directory / "pods"

    @property
    def containerd_root(self) -> Path:
        """Images and what containerd must know after a restart; kept by `down`."""
        return self.base / "containerd"

    @property
    def containerd_state(self) -> Path:
        """Running containers: sockets, mounts, network namespaces of pods."""
        return self.identity.run_directory / "containerd"

    @property
    def containerd_socket(self) -> Path:
        return self.identity.run_directory / "containerd.sock"

    @property
    def address_leases(self) -> Path:
        """Which pod has which address; as short-lived as the pods' network."""
        return self.identity.run_directory / "addresses"

    @property
    def database_hosts(self) -> Path:
        """Names and addresses of database instances, in the format of /etc/hosts; written by the AWS API."""
        return self.base / "rds.hosts"

    @property
    def load_balancers(self) -> Path:
        """Load balancers that are served, with their addresses; kept by `down`, as the account is."""
        return self.base / "load-balancers.json"

    @property
    def load_balancer_hosts(self) -> Path:
        """Their names and those that they answer for, in the format of /etc/hosts."""
        return self.base / "load-balancers.hosts"

    @property
    def network_policy_rules(self) -> Path:
        """What is enforced now, in the format of iptables-restore; as short-lived as the node's network."""
        return self.identity.run_directory / "network-policies.rules"

    @property
    def service_account_key(self) -> Path:
        return self.identity.certificate_authority.parent / "service-account.key"

    @property
    def service_account_public_key(self) -> Path:
        return self.identity.certificate_authority.parent / "service-account.pub"

    @property
    def cgroup(self) -> str:
        """The kubelet's cgroup root: clouds side by side must not share `/kubepods`."""
        return f"/{self.identity.name}"

    def kubeconfig(self, user: str) -> Path:
        """The kubeconfig of a component, e.g. `kubelet`."""
        return self.configuration / f"{user}.kubeconfig"
