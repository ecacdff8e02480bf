"""The kinds that EKS Auto Mode brings into a cluster, as far as a cluster's owner writes them.

The one node is there already, so nothing acts on its kinds; embedded.load_balancer does on the class of
Ingresses. Their schemas refuse what AWS's would refuse: https://docs.aws.amazon.com/eks/latest/userguide/create-node-class.html,
https://karpenter.sh/docs/concepts/nodepools/ and
https://docs.aws.amazon.com/eks/latest/userguide/auto-configure-alb.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TEXT: dict[str, Any] = {"type": "string"}
_TEXTS: dict[str, Any] = {"type": "array", "items": _TEXT}
_TEXT_MAP: dict[str, Any] = {"type": "object", "additionalProperties": _TEXT}


def manifests() -> list[dict[str, Any]]:
    """CustomResourceDefinitions of NodeClass, NodePool and IngressClassParams."""
    return [
        _definition("eks.amazonaws.com", "NodeClass", "nodeclasses", _node_class(), ["role"]),
        _definition("karpenter.sh", "NodePool", "nodepools", _node_pool(), ["template"]),
        _definition("eks.amazonaws.com", "IngressClassParams", "ingressclassparams", _ingress_class(), []),
    ]


def _definition(
    group: str, kind: str, plural: str, properties: Mapping[str, Any], required: list[str]
) -> dict[str, Any]:
    spec: dict[str, Any] = {"type": "object", "properties": dict(properties)}
    if required:
        spec["required"] = required
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "required": ["spec"], "properties": {"spec": spec}}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Cluster",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
            "versions": [version],
        },
    }


def _choice(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


def _object(required: list[str] | None = None, **properties: Any) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    return {**schema, "required": required} if required else schema


def _node_class() -> dict[str, Any]:
    terms = {"type": "array", "minItems": 1, "items": _object(id=_TEXT, tags=_TEXT_MAP)}
    return {
        "role": _TEXT,
        "instanceProfile": _TEXT,
        "subnetSelectorTerms": terms,
        "securityGroupSelectorTerms": terms,
        "snatPolicy": _choice("Random", "Disabled"),
        "networkPolicy": _choice("DefaultAllow", "DefaultDeny"),
        "networkPolicyEventLogs": _choice("Enabled", "Disabled"),
        "ephemeralStorage": _object(
            size={"type": "string", "pattern": r"^[0-9]+(Gi|Ti|G|T)$"},
            iops={"type": "integer", "minimum": 3000, "maximum": 16000},
            throughput={"type": "integer", "minimum": 125, "maximum": 1000},
            kmsKeyID=_TEXT,
        ),
        "tags": _TEXT_MAP,
    }


def _node_pool() -> dict[str, Any]:
    operators = _choice("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
    requirement = _object(["key", "operator"], key=_TEXT, operator=operators, values=_TEXTS)
    taint = _object(["key", "effect"], key=_TEXT, value=_TEXT, effect=_TEXT)
    reference = _object(["group", "kind", "name"], group=_TEXT, kind=_TEXT, name=_TEXT)
    duration = {"type": "string", "pattern": r"^(([0-9]+(s|m|h))+|Never)$"}
    template = _object(
        ["spec"],
        metadata=_object(labels=_TEXT_MAP, annotations=_TEXT_MAP),
        spec=_object(
            ["nodeClassRef", "requirements"],
            nodeClassRef=reference,
            requirements={"type": "array", "maxItems": 100, "items": requirement},
            taints={"type": "array", "items": taint},
            expireAfter=duration,
            terminationGracePeriod={"type": "string", "pattern": r"^([0-9]+(s|m|h))+$"},
        ),
    )
    disruption = _object(
        ["consolidateAfter"],
        consolidationPolicy=_choice("WhenEmpty", "WhenEmptyOrUnderutilized"),
        consolidateAfter=duration,
    )
    quantity = {
        "x-kubernetes-int-or-string": True,
        "anyOf": [{"type": "integer"}, {"type": "string"}],
    }
    return {
        "template": template,
        "disruption": disruption,
        "limits": {"type": "object", "additionalProperties": quantity},
        "weight": {"type": "integer", "minimum": 1, "maximum": 100},
    }


def _ingress_class() -> dict[str, Any]:
    return {
        "scheme": _choice("internal", "internet-facing"),
        "group": _object(["name"], name=_TEXT),
        "certificateARNs": _TEXTS,
        "ipAddressType": _choice("ipv4", "dualstack", "dualstack-without-public-ipv4"),
        "tags": {"type": "array", "items": _object(["key", "value"], key=_TEXT, value=_TEXT)},
    }
