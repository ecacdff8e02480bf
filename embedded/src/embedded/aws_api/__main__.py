"""`python -m embedded.aws_api --checkout PATH`: the AWS part of the embedded cloud."""

import argparse
import sys
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

from embedded.errors import EmbeddedError
from embedded.identity import CloudIdentity


def loopback_identity(identity: CloudIdentity, block: str) -> CloudIdentity:
    """The same cloud on a /22 of 127.0.0.0/8 and unprivileged ports, for tests without a network."""
    return replace(
        identity,
        block=IPv4Network(block),
        aws_port=10443,
        aws_plain_port=10080,
        pod_identity_port=18170,
        webhook_port=19443,
        token_webhook_port=19444,
    )


def main() -> int:
    """Parse the arguments and serve; 1 with a sentence when the account cannot be served."""
    parser = argparse.ArgumentParser(prog="python -m embedded.aws_api")
    parser.add_argument("--checkout", type=Path, required=True)
    parser.add_argument("--postgres", type=Path, required=True, help="directory of Postgres' programs")
    parser.add_argument("--loopback", metavar="BLOCK", help="a /22 of 127.0.0.0/8 to use for every address")
    arguments = parser.parse_args()
    identity = CloudIdentity.of(arguments.checkout)
    if arguments.loopback:
        identity = loopback_identity(identity, arguments.loopback)
    from embedded.aws_api import server

    try:
        server.run(identity, arguments.postgres)
    except EmbeddedError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
