"""One AWS operation with its parameters, read by the service's own model as botocore ships it."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model

from embedded.aws_api.request_reading import AwsRequest

# Signing name -> name of the service's model, where they differ.
_MODEL_NAMES = {
    "monitoring": "cloudwatch",
    "tagging": "resourcegroupstaggingapi",
    # Classic load balancers have the same one; nobody makes any here.
    "elasticloadbalancing": "elbv2",
}

# Their bodies are the objects themselves: nothing in them is a parameter that anybody asks for.
_WITH_CONTENT = frozenset({"PutObject", "UploadPart"})


@dataclass(frozen=True)
class Operation:
    """What a request asks a service to do."""

    request: AwsRequest
    name: str
    """As in the API reference, such as `CreateBucket`."""
    parameters: Mapping[str, Any]
    """By the names and in the shapes that boto3 takes them."""
    headers: Mapping[str, str]
    """HTTP headers, names in lower case."""

    @property
    def service(self) -> str:
        """Signing name of the service."""
        return self.request.service

    @property
    def region(self) -> str:
        """The region that the request was signed for."""
        return self.request.region

    def text(self, name: str) -> str:
        """A parameter as text; empty if it was not given."""
        return str(self.parameters.get(name) or "")


def read_operation(request: AwsRequest, environ: dict[str, Any], body: bytes) -> Operation | None:
    """The operation of a request, or None if the service has none like it (moto then says so)."""
    name = _MODEL_NAMES.get(request.service, request.service)
    # A copy with a stream of its own: moto reads the original one afterwards.
    http = Request({**environ, "wsgi.input": io.BytesIO(body)})
    try:
        model, labels = get_service_router(name).match(http)
    except Exception:  # noqa: BLE001 - unknown service or path: moto's answer says what is wrong
        return None
    protocol = determine_request_protocol(get_service_model(name), http.content_type)
    parsed = PROTOCOL_PARSERS[protocol](model, map_type=dict).parse(
        {
            "method": http.method,
            "values": http.values,
            "headers": http.headers,
            "body": b"" if request.service == "s3" and model.name in _WITH_CONTENT else body,
            "url_path": http.path,
            "url_params": labels,
        }
    )
    headers = {key.lower(): value for key, value in http.headers.items()}
    return Operation(request, str(model.name), parsed or {}, headers)
