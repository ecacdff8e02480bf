"""The servers of the AWS process beside a cluster that was brought."""

from __future__ import annotations

from typing import Any

from embedded.admission.webhook import AdmissionApplication
from embedded.aws_api import web_server
from embedded.aws_api.account import ServedAccount
from embedded.aws_api.pod_identity import PodIdentityApplication
from embedded.aws_api.token_review import user_of
from embedded.brought_cluster.access import cloud_access
from embedded.brought_cluster.api_proxy import ApiProxy
from embedded.brought_cluster.token_review import reviewer
from embedded.brought_cluster.web_identity import WebIdentity
from embedded.certificates import CertificateFiles
from embedded.identity import CloudIdentity
from embedded.plugins.kubernetes.api_client import ApiClient


def start(identity: CloudIdentity, tls: CertificateFiles, account: ServedAccount) -> list[Any]:
    """AWS API with web identities, admission, and the Kubernetes API that EKS names.

    Raises:
        EmbeddedError: an address is not there or in use.
    """
    access = cloud_access(identity)
    pod_identity = PodIdentityApplication(reviewer(ApiClient(access)), account.lock, account.save)
    aws = account.application
    with_web_identity = WebIdentity(aws, pod_identity.credentials)
    admission = AdmissionApplication(identity, account.lock)
    listeners = (
        *web_server.aws_listeners(identity, with_web_identity, aws, tls),
        web_server.Listener("admission", identity.webhook_port, admission, tls),
    )
    address = (identity.host_address, identity.kubernetes_port)
    with web_server.taking_addresses(identity.host_address):
        proxy = ApiProxy(address, tls, access, lambda token: user_of(token, account.lock))
    return [*web_server.listen(identity.host_address, listeners), proxy]
