"""The enforcement of network policies as the cloud's supervisor starts it."""

from __future__ import annotations

import sys

from embedded import network
from embedded.commands import succeeds
from embedded.errors import NotReady
from embedded.identity import CloudIdentity
from embedded.network_policies import rules
from embedded.node.layout import NodeLayout
from embedded.processes import Part

PART_NAME = "network-policies"


def network_policies_part(layout: NodeLayout) -> Part:
    """One process in the node's namespace, whose packets it filters."""
    identity = layout.identity
    return Part(
        name=PART_NAME,
        command=(sys.executable, "-m", "embedded.network_policies", "--checkout", str(identity.checkout)),
        environment={"PYTHONUNBUFFERED": "1"},
        in_node_namespace=True,
        ready=lambda: check_ready(identity),
        address=None,
        ready_timeout_seconds=30.0,
    )


def check_ready(identity: CloudIdentity) -> None:
    """Raises NotReady until packets are sent to the rules."""
    hook = ["iptables", "--wait", "-t", "mangle", "-C", "INPUT", "-j", rules.ENTRY]
    if not succeeds(network.node_command(identity, hook)):
        raise NotReady("the node's packets are not sent to its rules")
