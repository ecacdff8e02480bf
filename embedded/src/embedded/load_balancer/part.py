"""Load balancing as the cloud's supervisor starts it."""

from __future__ import annotations

import sys
from pathlib import Path

from embedded.identity import CloudIdentity
from embedded.load_balancer import records
from embedded.load_balancer.controller import problem_of
from embedded.node.layout import NodeLayout
from embedded.processes import Part, Supervisor

PART_NAME = "load-balancer"


def sign_of_life(identity: CloudIdentity) -> Path:
    """The file in which the part says how it fares."""
    return identity.run_directory / f"{PART_NAME}.json"


def load_balancer_part(layout: NodeLayout) -> Part:
    """One process on the machine's side: what AWS has outside of the cluster."""
    identity = layout.identity
    served = sorted(one.address for one in records.read(layout.load_balancers).values())
    return Part(
        name=PART_NAME,
        command=(sys.executable, "-m", "embedded.load_balancer", "--checkout", str(identity.checkout)),
        environment={"PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": "2"},
        in_node_namespace=False,
        ready=lambda: problem_of(sign_of_life(identity), Supervisor(identity).status(PART_NAME).pid),
        address=", ".join(served) or None,
        ready_timeout_seconds=60.0,
    )
