"""`python -m embedded.network_policies --checkout PATH`: runs in the node's network namespace."""

import threading

from embedded.network_policies.enforcement import enforce
from embedded.node.credentials import network_policies_certificate
from embedded.node.layout import NodeLayout
from embedded.node.watching import ClusterObjects, begin


def main() -> None:
    """Enforce until SIGTERM or SIGINT."""
    identity = begin("embedded.network_policies")
    objects = ClusterObjects(identity, network_policies_certificate(identity))
    layout = NodeLayout(identity)
    enforce(objects, layout.network_policy_rules, layout.load_balancers, threading.Event())


if __name__ == "__main__":
    main()
