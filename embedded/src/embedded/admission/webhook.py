"""WSGI: POST /mutate with an AdmissionReview of a pod."""

import base64
import json
import logging
import threading
from typing import Any

from embedded.admission.mutation import PodContext, patch
from embedded.aws_api import DEFAULT_REGION
from embedded.aws_api.eks.backend import all_backends
from embedded.aws_api.web_server import json_response
from embedded.identity import CloudIdentity
from embedded.rds.jobs import all_instances

PATH = "/mutate"
_OUTSIDE_NAMESPACES = frozenset({"kube-system"})

_log = logging.getLogger("embedded.admission")


class AdmissionApplication:
    """Answers with a JSON patch; never refuses a pod."""

    def __init__(self, identity: CloudIdentity, lock: threading.RLock) -> None:
        self._identity = identity
        self._lock = lock
        brought = identity.brought is not None
        self._authority = identity.certificate_authority.read_text() if brought else None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] != PATH or environ["REQUEST_METHOD"] != "POST":
            return json_response(start_response, "404 Not Found", b"{}")
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length) if length else environ["wsgi.input"].read()
        try:
            request = json.loads(body)["request"]
            pod, uid = request["object"], request["uid"]
        except (ValueError, KeyError, TypeError):
            return json_response(start_response, "400 Bad Request", b'{"error": "not an AdmissionReview"}')
        operations = patch(pod, self._context(request, pod))
        response: dict[str, Any] = {"uid": uid, "allowed": True}
        if operations:
            response["patchType"] = "JSONPatch"
            response["patch"] = base64.b64encode(json.dumps(operations).encode()).decode()
        answer = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
        return json_response(start_response, "200 OK", json.dumps(answer).encode())

    def _context(self, request: dict[str, Any], pod: dict[str, Any]) -> PodContext:
        # Controllers create pods without a namespace in their text; the request always has it.
        namespace = request.get("namespace") or pod.get("metadata", {}).get("namespace", "")
        service_account = pod.get("spec", {}).get("serviceAccountName") or "default"
        with self._lock:
            found = associated(namespace, service_account)
            hosts = self._hosts() if self._identity.brought else {}
        region, role = found or (None, None)
        outside = namespace in _OUTSIDE_NAMESPACES
        _log.info("pod in %s of %s: pod identity %s", namespace, service_account, "yes" if region else "no")
        return PodContext(
            region=region or DEFAULT_REGION,
            aws_endpoint_url=None if outside else self._identity.aws_endpoint_url,
            has_pod_identity=region is not None,
            authority=self._authority,
            web_identity_role=role if self._identity.brought else None,
            hosts=hosts,
        )

    def _hosts(self) -> dict[str, str]:
        """The names of databases: the cluster's own DNS does not know them."""
        return {one.address: self._identity.host_address for one in all_instances()}


def associated(namespace: str, service_account: str) -> tuple[str, str] | None:
    """Region and role of the association of a service account, or None."""
    for backend in all_backends():
        for extra in backend.extras.values():
            if association := extra.associations.find(namespace, service_account):
                return backend.region_name, str(association.role_arn)
    return None
