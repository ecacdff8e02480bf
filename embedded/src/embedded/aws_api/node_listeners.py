"""What the AWS process listens for beside a node of this machine."""

from embedded.admission.webhook import AdmissionApplication
from embedded.aws_api import service_account_token
from embedded.aws_api.account import ServedAccount
from embedded.aws_api.pod_identity import PodIdentityApplication
from embedded.aws_api.token_review import TokenReviewApplication
from embedded.aws_api.web_server import Listener, aws_listeners
from embedded.certificates import CertificateFiles
from embedded.identity import CloudIdentity
from embedded.node.layout import NodeLayout


def node_listeners(
    identity: CloudIdentity, account: ServedAccount, tls: CertificateFiles
) -> tuple[Listener, ...]:
    """AWS API with and without TLS, the API server's two webhooks, and Pod Identity."""
    public_key = NodeLayout(identity).service_account_public_key
    pod_identity = PodIdentityApplication(
        lambda token, now: service_account_token.verify(token, public_key, now), account.lock, account.save
    )
    reviews, admission = TokenReviewApplication(account.lock), AdmissionApplication(identity, account.lock)
    return (
        *aws_listeners(identity, account.application, account.application, tls),
        Listener("token-review", identity.token_webhook_port, reviews, tls),
        Listener("admission", identity.webhook_port, admission, tls),
        Listener("pod-identity", identity.pod_identity_port, pod_identity, None),
    )
