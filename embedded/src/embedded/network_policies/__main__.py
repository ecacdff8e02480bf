"""`python -m embedded.network_policies --checkout PATH`: runs in the node's network namespace."""

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path

from embedded.identity import CloudIdentity
from embedded.network_policies.enforcement import enforce
from embedded.node.credentials import network_policies_certificate
from embedded.node.layout import NodeLayout
from embedded.node.watching import ClusterObjects


def main() -> int:
    """Enforce until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m embedded.network_policies")
    parser.add_argument("--checkout", type=Path, required=True)
    identity = CloudIdentity.of(parser.parse_args().checkout)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stdout)
    # Its threads wait for the API server and hold nothing: the default end of a process is an orderly one.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    objects = ClusterObjects(identity, network_policies_certificate(identity))
    layout = NodeLayout(identity)
    enforce(objects, layout.network_policy_rules, layout.load_balancers, threading.Event())
    return 0


if __name__ == "__main__":
    sys.exit(main())
