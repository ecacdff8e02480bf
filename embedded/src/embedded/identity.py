"""Who an embedded cloud is: names, addresses and directories, all derived from its checkout's path.

Every process of a cloud computes the same identity, and the clouds of several checkouts live side by side on
one machine. One thing alone is chosen at start and stored: a cluster that the user brings.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from embedded.brought_cluster import settings as brought_cluster

# Each cloud owns one /22 of this range: link (/24), pods (/24), Services (/23). 4096 clouds fit; two
# checkouts that fall on the same /22 are told so by the network's start (see `network.check_free`).
_RANGE = IPv4Network("10.192.0.0/10")
_BLOCK_PREFIX = 22
_DATABASE_OFFSET = 64
MAXIMUM_DATABASES = 128
# Ports of a cloud on an address that is not its own: above the privileged ones, below those that the kernel
# gives to connections. Each cloud has four.
_FIRST_SHARED_PORT = 20_000
_SHARED_PORT_BLOCKS = 2_500


@dataclass(frozen=True)
class CloudIdentity:
    """The names and addresses of one embedded cloud. Make it with `CloudIdentity.of`."""

    name: str
    """`airflow-` and 8 hexadecimal digits; also the name of the network namespace and of the cgroup."""
    checkout: Path
    state_directory: Path
    """`$XDG_STATE_HOME/airflow-iac/<name>`, or below `~/.local/state`; mode 0700."""
    block: IPv4Network
    """The /22 that holds every address of this cloud."""

    aws_port: int = 443
    aws_plain_port: int = 80
    """Where the AWS API answers without TLS: S3 does so on AWS too."""
    pod_identity_port: int = 8170
    webhook_port: int = 9443
    token_webhook_port: int = 9444
    kubernetes_port: int = 6443

    brought: brought_cluster.BroughtCluster | None = None
    """The cluster that takes the node's place; None: the cloud has a node."""

    @classmethod
    def of(cls, checkout: Path) -> CloudIdentity:
        """The identity of the cloud that belongs to the checkout at this path (symbolic links resolved)."""
        resolved = checkout.resolve()
        digest = hashlib.sha256(str(resolved).encode()).digest()
        name = f"airflow-{digest[:4].hex()}"
        # The block comes from other digits than the name: equal blocks then do not mean equal names.
        blocks = 2 ** (_BLOCK_PREFIX - _RANGE.prefixlen)
        index = int.from_bytes(digest[4:8], "big") % blocks
        first = _RANGE.network_address + index * 2 ** (32 - _BLOCK_PREFIX)
        identity = cls(
            name=name,
            checkout=resolved,
            state_directory=_state_home() / "airflow-iac" / name,
            block=IPv4Network((first, _BLOCK_PREFIX)),
        )
        stored = brought_cluster.load(identity.state_directory)
        return identity.with_brought(stored) if stored else identity

    def with_brought(self, settings: brought_cluster.BroughtCluster) -> CloudIdentity:
        """The same cloud on a brought cluster: everything on one address of the machine, ports of its own."""
        digest = hashlib.sha256(str(self.checkout).encode()).digest()
        first = _FIRST_SHARED_PORT + int.from_bytes(digest[8:12], "big") % _SHARED_PORT_BLOCKS * 4
        return replace(
            self,
            brought=settings,
            aws_port=first,
            webhook_port=first + 1,
            kubernetes_port=first + 2,
            aws_plain_port=first + 3,
        )

    @property
    def state_home(self) -> Path:
        """What XDG_STATE_HOME must be for other processes to compute this identity."""
        return self.state_directory.parent.parent

    @property
    def logs_directory(self) -> Path:
        """One log file a part."""
        return self.state_directory / "logs"

    @property
    def run_directory(self) -> Path:
        """Pid files and sockets: what means nothing once the cloud is down."""
        return self.state_directory / "run"

    @property
    def node_directory(self) -> Path:
        """The node's configuration, and what its parts keep."""
        return self.state_directory / "node"

    @property
    def certificate_authority(self) -> Path:
        """The certificate of the one authority for Kubernetes, AWS API and databases."""
        return self.state_directory / "certificates" / "ca.crt"

    @property
    def administrator_kubeconfig(self) -> Path:
        """A kubeconfig of group system:masters, certificates inline."""
        return self.state_directory / "kubeconfig"

    @property
    def link_network(self) -> IPv4Network:
        """The /24 of the pair of links between the machine and the node."""
        return IPv4Network((self.block.network_address, 24))

    @property
    def host_address(self) -> str:
        """The machine's end of the link: the AWS API and its companions listen here."""
        if self.brought:
            return self.brought.advertise
        return str(self.link_network.network_address + 1)

    @property
    def node_address(self) -> str:
        """The node's end of the link: the Kubernetes API, the kubelet and DNS listen here."""
        if self.brought:
            return self.brought.advertise
        return str(self.link_network.network_address + 2)

    def database_address(self, index: int) -> str:
        """The IPv4 address of the database instance number `index` (0 to 127) on the link's /24.

        Beside a brought cluster all have the one address that it reaches.

        Raises:
            ValueError: the index is outside of that range.
        """
        if not 0 <= index < MAXIMUM_DATABASES:
            raise ValueError(f"database index {index}: 0 to {MAXIMUM_DATABASES - 1} are possible")
        if self.brought:
            return self.brought.advertise
        return str(self.link_network.network_address + _DATABASE_OFFSET + index)

    @property
    def pod_cidr(self) -> str:
        """The /24 that pods get their addresses from."""
        return str(IPv4Network((self.block.network_address + 256, 24)))

    @property
    def service_cidr(self) -> str:
        """The /23 that Services get their cluster addresses from."""
        return str(IPv4Network((self.block.network_address + 512, 23)))

    @property
    def kubernetes_service_address(self) -> str:
        """The cluster address of `kubernetes.default`: the first of the Services, by Kubernetes' own rule."""
        return str(IPv4Address(IPv4Network(self.service_cidr).network_address + 1))

    @property
    def aws_endpoint_url(self) -> str:
        """Where the AWS API answers, over TLS."""
        return f"https://{self.host_address}:{self.aws_port}"

    @property
    def aws_plain_endpoint_url(self) -> str:
        """Where S3 answers without TLS, if the bucket's policy lets it."""
        return f"http://{self.host_address}:{self.aws_plain_port}"

    @property
    def kubernetes_endpoint(self) -> str:
        """Where the Kubernetes API answers, over TLS."""
        return f"https://{self.node_address}:{self.kubernetes_port}"

    @property
    def node_name(self) -> str:
        """The Node's name, as EC2 names its machines by default."""
        return f"ip-{self.node_address.replace('.', '-')}.internal"

    @property
    def host_link(self) -> str:
        """The link on the machine's side (the kernel allows 15 characters)."""
        return f"{self.name.replace('airflow-', 'af')}-host"

    @property
    def node_link(self) -> str:
        """The link on the node's side."""
        return f"{self.name.replace('airflow-', 'af')}-node"

    @property
    def network_namespace(self) -> Path:
        """The file that holds the node's network namespace open; `ip netns` knows it by `name`."""
        return Path("/run/netns") / self.name


def _state_home() -> Path:
    configured = os.environ.get("XDG_STATE_HOME", "")
    # The XDG base directory specification: a relative path is invalid and to be ignored.
    return Path(configured) if configured.startswith("/") else Path.home() / ".local" / "state"
