"""Every part of a cloud, with the question by which each is asked for its health."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

from embedded.aws_api.part import aws_api_part
from embedded.identity import CloudIdentity
from embedded.load_balancer.part import load_balancer_part
from embedded.network_policies.part import network_policies_part
from embedded.node import control_plane, worker
from embedded.node.credentials import NodeCredentials
from embedded.node.layout import NodeLayout
from embedded.processes import Part
from embedded.setup import Toolchain


@dataclass(frozen=True)
class CloudParts:
    """The parts in the order in which they start."""

    aws: Part
    etcd: Part
    apiserver: Part
    containerd: Part
    controller_manager: Part
    scheduler: Part
    coredns: Part
    kubelet: Part
    kube_proxy: Part
    network_policies: Part
    load_balancer: Part

    def __iter__(self) -> Iterator[Part]:
        return (getattr(self, field.name) for field in fields(self))


def cloud_parts(identity: CloudIdentity, tools: Toolchain, credentials: NodeCredentials) -> CloudParts:
    """The parts of this cloud; nothing is started."""
    layout = NodeLayout(identity)
    return CloudParts(
        aws=aws_api_part(identity, tools),
        etcd=control_plane.etcd(layout, credentials),
        apiserver=control_plane.apiserver(layout, credentials),
        containerd=worker.containerd(layout, tools),
        controller_manager=control_plane.controller_manager(layout, credentials),
        scheduler=control_plane.scheduler(layout, credentials),
        coredns=worker.coredns(layout, tools),
        kubelet=worker.kubelet(layout),
        kube_proxy=worker.kube_proxy(layout),
        network_policies=network_policies_part(layout),
        load_balancer=load_balancer_part(layout),
    )
