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

PATH = "/mutate"
_OUTSIDE_NAMESPACES = frozenset({"kube-system"})

_log = logging.getLogger("embedded.admission")


class AdmissionApplication:
    """Answers with a JSON patch; never refuses a pod."""

    def __init__(self, identity: CloudIdentity, lock: threading.RLock) -> None:
        self._identity = identity
        self._lock = lock

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
            region = associated_region(namespace, service_account)
        outside = namespace in _OUTSIDE_NAMESPACES
        _log.info("pod in %s of %s: pod identity %s", namespace, service_account, "yes" if region else "no")
        return PodContext(
            region=region or DEFAULT_REGION,
            aws_endpoint_url=None if outside else self._identity.aws_endpoint_url,
            has_pod_identity=region is not None,
        )


def associated_region(namespace: str, service_account: str) -> str | None:
    """The region of the cluster that has an association for the service account, or None."""
    for backend in all_backends():
        for extra in backend.extras.values():
            if extra.associations.find(namespace, service_account):
                return backend.region_name
    return None
