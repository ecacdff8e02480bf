"""The servers of the AWS process beside a cluster that was brought."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from embedded.admission.webhook import AdmissionApplication
from embedded.aws_api import web_server
from embedded.aws_api.pod_identity import PodIdentityApplication
from embedded.aws_api.token_review import user_of
from embedded.brought_cluster.access import cloud_access
from embedded.brought_cluster.api_proxy import ApiProxy
from embedded.brought_cluster.token_review import reviewer
from embedded.brought_cluster.web_identity import WebIdentity
from embedded.certificates import CertificateFiles
from embedded.errors import EmbeddedError
from embedded.identity import CloudIdentity
from embedded.plugins.kubernetes.api_client import ApiClient


def start(
    identity: CloudIdentity,
    tls: CertificateFiles,
    lock: threading.RLock,
    save: Callable[[], None],
    aws: Any,
) -> list[Any]:
    """AWS API with web identities, admission, and the Kubernetes API that EKS names.

    Raises:
        EmbeddedError: an address is not there.
    """
    access, host = cloud_access(identity), identity.host_address
    pod_identity = PodIdentityApplication(reviewer(ApiClient(access)), lock, save)
    with_web_identity = WebIdentity(aws, pod_identity.credentials)
    admission = AdmissionApplication(identity, lock)
    try:
        return [
            web_server.serve(
                "aws", (host, identity.aws_port), with_web_identity, tls, web_server.AWS_THREADS
            ),
            web_server.serve(
                "aws-plain", (host, identity.aws_plain_port), aws, None, web_server.WEBHOOK_THREADS
            ),
            web_server.serve(
                "admission", (host, identity.webhook_port), admission, tls, web_server.WEBHOOK_THREADS
            ),
            ApiProxy((host, identity.kubernetes_port), tls, access, lambda token: user_of(token, lock)),
        ]
    except OSError as error:
        raise EmbeddedError(
            f"The AWS part cannot listen on {host}: {error}.", "Run `embedded status`, then `embedded up`."
        ) from error
