"""The AWS part as the cloud's supervisor starts it."""

import os
import ssl
import sys
import urllib.error
import urllib.request

from embedded.errors import NotReady
from embedded.identity import CloudIdentity
from embedded.processes import Part
from embedded.setup import Toolchain

PART_NAME = "aws"


def aws_api_part(identity: CloudIdentity, toolchain: Toolchain) -> Part:
    """One process for the AWS API, the EKS webhooks, Pod Identity and admission, on the host's address."""
    return Part(
        name=PART_NAME,
        command=(
            sys.executable,
            "-m",
            "embedded.aws_api",
            "--checkout",
            str(identity.checkout),
            "--postgres",
            str(toolchain.postgres_directory),
        ),
        # One arena a thread would keep freed memory apart for each of some 30 threads.
        environment={"PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": "2", **_kubeconfigs_command(identity)},
        in_node_namespace=False,
        ready=lambda: check_ready(identity),
        address=identity.aws_endpoint_url,
        ready_timeout_seconds=60.0,
    )


def _kubeconfigs_command(identity: CloudIdentity) -> dict[str, str]:
    """A kubeconfig that was brought may get its token by a command, which is on the user's PATH."""
    return {"PATH": os.environ.get("PATH", os.defpath)} if identity.brought else {}


def check_ready(identity: CloudIdentity) -> None:
    """Ask the health URL, with the cloud's authority as the only trust.

    Raises:
        NotReady: no answer yet.
    """
    url = f"{identity.aws_endpoint_url}/embedded/health"
    try:
        context = ssl.create_default_context(cafile=str(identity.certificate_authority))
        with urllib.request.urlopen(url, timeout=2, context=context) as response:  # noqa: S310 - our own URL
            if response.status != 200:
                raise NotReady(f"{url} answers {response.status}")
    except (OSError, urllib.error.URLError) as error:
        raise NotReady(f"{url} does not answer: {error}") from error
