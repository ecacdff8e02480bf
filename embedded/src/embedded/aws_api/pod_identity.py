"""The Pod Identity agent: a pod's service account token becomes credentials of the associated role.

What the agent answers: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html
"""

import json
import logging
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from embedded.aws_api import ACCOUNT_ID
from embedded.aws_api.eks.backend import all_backends
from embedded.aws_api.policy.condition_keys import UnknownConditionKeyError
from embedded.aws_api.policy.conditions import UnknownOperatorError
from embedded.aws_api.principals import find_role
from embedded.aws_api.request_context import service_context
from embedded.aws_api.service_account_token import InvalidTokenError, ServiceAccountToken
from embedded.aws_api.trust import service_may_assume
from embedded.aws_api.web_server import json_response

PATH = "/v1/credentials"
_SERVICE = "pods.eks.amazonaws.com"
_DURATION_SECONDS = 6 * 3600
"""The agent's sessions last six hours."""

_log = logging.getLogger("embedded.aws_api.pod_identity")


class CredentialsRefusedError(Exception):
    """An answer other than credentials: HTTP status line and reason."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class PodIdentityApplication:
    """WSGI: GET /v1/credentials with the token in the Authorization header."""

    def __init__(
        self,
        verify: Callable[[str, datetime], ServiceAccountToken],
        lock: threading.RLock,
        save: Callable[[], None],
    ) -> None:
        """`verify` says whose a token is; it raises InvalidTokenError."""
        self._verify = verify
        self._lock = lock
        self._save = save
        self._sessions: dict[str, tuple[Any, str]] = {}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] != PATH:
            return json_response(start_response, "404 Not Found", b'{"error": "no such path"}')
        try:
            answer = self.credentials(environ.get("HTTP_AUTHORIZATION", ""))
        except CredentialsRefusedError as refusal:
            _log.info("credentials refused: %s", refusal.reason)
            body = json.dumps({"error": refusal.reason}).encode()
            return json_response(start_response, refusal.status, body)
        return json_response(start_response, "200 OK", json.dumps(answer).encode())

    def credentials(self, token: str) -> dict[str, str]:
        """The agent's answer to a token.

        Raises:
            CredentialsRefusedError: the token is of nobody who has a role.
        """
        now = datetime.now(UTC)
        try:
            account = self._verify(token.removeprefix("Bearer "), now)
        except (InvalidTokenError, OSError) as error:
            raise CredentialsRefusedError(
                "400 Bad Request", f"invalid service account token: {error}"
            ) from error
        with self._lock:
            session = self._session(account, now)
        _log.info("credentials of %s for pod %s/%s", session.role_arn, account.namespace, account.pod)
        return {
            "AccessKeyId": session.access_key_id,
            "SecretAccessKey": session.secret_access_key,
            "Token": session.session_token,
            "AccountId": ACCOUNT_ID,
            "Expiration": session.expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def _session(self, account: ServiceAccountToken, now: datetime) -> Any:
        cluster_arn, role_arn = _associated_role(account)
        known = self._sessions.get(account.pod_uid)
        if known and known[1] == role_arn and (known[0].expiration - now.replace(tzinfo=None)).seconds > 3600:
            return known[0]
        if find_role(role_arn) is None:
            raise CredentialsRefusedError(
                "404 Not Found", f"role {role_arn} of the association does not exist"
            )
        tags = session_tags(cluster_arn, account)
        if not _may_assume(role_arn, cluster_arn, tags):
            reason = (
                f"{role_arn} must trust {_SERVICE} for sts:AssumeRole and sts:TagSession, of {cluster_arn}"
            )
            raise CredentialsRefusedError("403 Forbidden", reason)
        session = assume_role(role_arn, _session_name(account))
        session.session_tags = tags
        self._sessions = {
            uid: kept for uid, kept in self._sessions.items() if kept[0].expiration > _naive(now)
        }
        self._sessions[account.pod_uid] = (session, role_arn)
        self._save()
        return session


def assume_role(role_arn: str, session_name: str) -> Any:
    """A new session of a role in moto's STS; sessions that have expired are forgotten on the way."""
    from moto.iam.models import iam_backends
    from moto.sts.models import sts_backends

    sts, iam = sts_backends[ACCOUNT_ID]["aws"], iam_backends[ACCOUNT_ID]["aws"]
    now = _naive(datetime.now(UTC))
    for expired in [session for session in sts.assumed_roles if session.expiration < now]:
        sts.assumed_roles.remove(expired)
        iam.access_keys.pop(expired.access_key_id, None)
    return sts.assume_role("aws", session_name, role_arn, "", _DURATION_SECONDS, "")


def _associated_role(account: ServiceAccountToken) -> tuple[str, str]:
    """ARNs of the cluster and of the role that is associated in it."""
    for backend in all_backends():
        for name, extra in backend.extras.items():
            if role_arn := extra.associations.effective_role(account.namespace, account.service_account):
                return str(backend.clusters[name].arn), role_arn
    who = f"{account.namespace}/{account.service_account}"
    raise CredentialsRefusedError("404 Not Found", f"no Pod Identity association for service account {who}")


def session_tags(cluster_arn: str, account: ServiceAccountToken) -> dict[str, str]:
    """The tags that EKS puts on the session.

    https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html
    """
    return {
        "eks-cluster-arn": cluster_arn,
        "eks-cluster-name": cluster_arn.rpartition("/")[2],
        "kubernetes-namespace": account.namespace,
        "kubernetes-service-account": account.service_account,
        "kubernetes-pod-name": account.pod,
        "kubernetes-pod-uid": account.pod_uid,
    }


def _may_assume(role_arn: str, cluster_arn: str, tags: dict[str, str]) -> bool:
    context = service_context(_SERVICE, cluster_arn, tags)
    try:
        return service_may_assume(role_arn, _SERVICE, ("sts:AssumeRole", "sts:TagSession"), context)
    except UnknownOperatorError as error:
        raise _not_known("operator", error) from error
    except UnknownConditionKeyError as error:
        raise _not_known("key", error) from error


def _not_known(what: str, error: Exception) -> CredentialsRefusedError:
    reason = f"the embedded AWS does not know the condition {what} {error} of the trust policy"
    return CredentialsRefusedError("501 Not Implemented", reason)


def _session_name(account: ServiceAccountToken) -> str:
    """The agent's form: eks-<cluster>-<pod>-<uuid>, in the characters and length STS allows."""
    return re.sub(r"[^\w+=,.@-]", "-", f"eks-{account.pod}-{account.pod_uid}")[:64]


def _naive(moment: datetime) -> datetime:
    """moto keeps naive UTC datetimes."""
    return moment.replace(tzinfo=None)
