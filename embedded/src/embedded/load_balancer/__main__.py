"""`python -m embedded.load_balancer --checkout PATH`: the load balancers of the embedded cloud."""

from embedded.load_balancer.controller import Controller
from embedded.load_balancer.part import sign_of_life
from embedded.node.credentials import load_balancer_certificate
from embedded.node.layout import NodeLayout
from embedded.node.watching import ClusterObjects, begin


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    identity = begin("embedded.load_balancer")
    objects = ClusterObjects(identity, load_balancer_certificate(identity))
    Controller(NodeLayout(identity), objects, sign_of_life(identity)).run()


if __name__ == "__main__":
    main()
