"""`python -m embedded.load_balancer --checkout PATH`: the load balancers of the embedded cloud."""

import argparse
import logging
import signal
import sys
from pathlib import Path

from embedded.identity import CloudIdentity
from embedded.load_balancer.controller import Controller
from embedded.load_balancer.part import sign_of_life
from embedded.node.credentials import load_balancer_certificate
from embedded.node.layout import NodeLayout
from embedded.node.watching import ClusterObjects


def main() -> int:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m embedded.load_balancer")
    parser.add_argument("--checkout", type=Path, required=True)
    identity = CloudIdentity.of(parser.parse_args().checkout)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stdout)
    # What it holds is in the account and in the cluster: the default end of a process is an orderly one.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    objects = ClusterObjects(identity, load_balancer_certificate(identity))
    Controller(NodeLayout(identity), objects, sign_of_life(identity)).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
