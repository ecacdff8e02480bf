"""IAM policy documents from structured statements. https://registry.terraform.io/providers/hashicorp/aws/latest/docs/data-sources/iam_policy_document"""

import json
import zlib
from collections.abc import Mapping
from typing import Any, Final

from embedded.plugins.aws.functions import Function, refuse_unknown
from embedded.plugins.aws.session import Session
from embedded.plugins.common.values import Values

_LISTS: Final = (
    ("actions", "Action"),
    ("notActions", "NotAction"),
    ("resources", "Resource"),
    ("notResources", "NotResource"),
)


def _one_or_many(values: list[str]) -> Any:
    return values[0] if len(values) == 1 else sorted(values, reverse=True)


def _principals(items: list[Values]) -> Any:
    if any(item["type"] == "*" for item in items):
        return "*"
    gathered: dict[str, list[str]] = {}
    for item in items:
        gathered.setdefault(item["type"], []).extend(item["identifiers"])
    return {kind: _one_or_many(names) for kind, names in gathered.items()}


def _statement(said: Values) -> dict[str, Any]:
    statement: dict[str, Any] = {"Sid": said["sid"]} if said.get("sid") else {}
    statement["Effect"] = said.get("effect") or "Allow"
    for prop, key in (("principals", "Principal"), ("notPrincipals", "NotPrincipal")):
        if said.get(prop):
            statement[key] = _principals(said[prop])
    for prop, key in _LISTS:
        if said.get(prop):
            statement[key] = _one_or_many(list(said[prop]))
    conditions: dict[str, dict[str, Any]] = {}
    for item in said.get("conditions") or []:
        conditions.setdefault(item["test"], {})[item["variable"]] = _one_or_many(list(item["values"]))
    if conditions:
        statement["Condition"] = conditions
    return statement


def _policy_document(_session: Session, arguments: Values) -> Values:
    refuse_unknown(arguments, "statements", "version", "policyId")
    document: dict[str, Any] = {"Version": arguments.get("version") or "2012-10-17"}
    if arguments.get("policyId"):
        document["Id"] = arguments["policyId"]
    document["Statement"] = [_statement(said) for said in arguments.get("statements") or []]
    text = json.dumps(document, indent=2)
    return {
        **arguments,
        "id": str(zlib.crc32(text.encode())),
        "json": text,
        "minifiedJson": json.dumps(document, separators=(",", ":")),
    }


FUNCTIONS: Final[Mapping[str, Function]] = {"aws:iam/getPolicyDocument:getPolicyDocument": _policy_document}
