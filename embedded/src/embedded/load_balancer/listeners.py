"""Listeners and rules of a load balancer in the account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from embedded.load_balancer.clients import Clients
from embedded.load_balancer.planning import LoadBalancer
from embedded.load_balancer.rules import Rule, TargetGroup

# What no rule matches. https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/spec/
_NO_MATCH: Final = {
    "Type": "fixed-response",
    "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain"},
}
_TLS_POLICY: Final = "ELBSecurityPolicy-2016-08"

Tags = list[dict[str, str]]
_Key = tuple[int, tuple[str, ...], tuple[str, ...], str]


@dataclass(frozen=True)
class Listeners:
    """Those of one load balancer."""

    reader: Clients
    maker: Clients
    load_balancer_arn: str
    tags: Tags

    def reconcile(self, wanted: LoadBalancer, target_groups: Mapping[TargetGroup, str]) -> None:
        """Let there be the listeners that are wanted, with their certificates and rules, and no others."""
        present = {
            one["Port"]: one
            for one in self.reader.every(
                "elbv2", "describe_listeners", "Listeners", LoadBalancerArn=self.load_balancer_arn
            )
        }
        for port, one in present.items():
            if wanted.listeners.get(port) != one["Protocol"] or self._other_default(one, wanted):
                self.reader.client("elbv2").delete_listener(ListenerArn=one["ListenerArn"])
        for port, protocol in wanted.listeners.items():
            kept = present.get(port)
            if kept is None or kept["Protocol"] != protocol or self._other_default(kept, wanted):
                arn = self._create(port, protocol, wanted.certificate_arns)
            else:
                arn = kept["ListenerArn"]
            if protocol == "HTTPS":
                self._certificates(arn, wanted.certificate_arns)
            self._rules(arn, wanted.rules[port], target_groups)

    def _other_default(self, listener: Mapping[str, Any], wanted: LoadBalancer) -> bool:
        certificates = [one["CertificateArn"] for one in listener.get("Certificates") or []]
        return listener["Protocol"] == "HTTPS" and certificates[:1] != list(wanted.certificate_arns[:1])

    def _create(self, port: int, protocol: str, certificates: Sequence[str]) -> str:
        secured = (
            {"Certificates": [{"CertificateArn": certificates[0]}], "SslPolicy": _TLS_POLICY}
            if protocol == "HTTPS"
            else {}
        )
        made = self.maker.client("elbv2").create_listener(
            LoadBalancerArn=self.load_balancer_arn,
            Port=port,
            Protocol=protocol,
            DefaultActions=[_NO_MATCH],
            Tags=self.tags,
            **secured,
        )
        return str(made["Listeners"][0]["ListenerArn"])

    def _certificates(self, listener: str, wanted: Sequence[str]) -> None:
        """The default one belongs to the listener; the others are chosen by the name a client asks for."""
        elb = self.maker.client("elbv2")
        found = self.reader.client("elbv2").describe_listener_certificates(ListenerArn=listener)[
            "Certificates"
        ]
        present = {one["CertificateArn"] for one in found if not one.get("IsDefault")} - {wanted[0]}
        if gone := sorted(present - set(wanted)):
            elb.remove_listener_certificates(ListenerArn=listener, Certificates=_named(gone))
        if new := [one for one in wanted[1:] if one not in present]:
            elb.add_listener_certificates(ListenerArn=listener, Certificates=_named(new))

    def _rules(self, listener: str, wanted: Sequence[Rule], target_groups: Mapping[TargetGroup, str]) -> None:
        keys: dict[_Key, Rule] = {
            (priority, rule.hosts, rule.paths, target_groups[rule.target_group]): rule
            for priority, rule in enumerate(wanted, start=1)
        }
        present = {
            _key(one): one["RuleArn"]
            for one in self.reader.every("elbv2", "describe_rules", "Rules", ListenerArn=listener)
            if not one["IsDefault"]
        }
        for key, arn in present.items():
            if key not in keys:
                self.reader.client("elbv2").delete_rule(RuleArn=arn)
        for key, rule in keys.items():
            if key not in present:
                self.maker.client("elbv2").create_rule(
                    ListenerArn=listener,
                    Priority=key[0],
                    Conditions=_conditions(rule),
                    Actions=[{"Type": "forward", "TargetGroupArn": key[3]}],
                    Tags=self.tags,
                )


def _named(arns: Sequence[str]) -> list[dict[str, str]]:
    return [{"CertificateArn": arn} for arn in arns]


def _conditions(rule: Rule) -> list[dict[str, Any]]:
    """A rule needs a condition; that of a default backend is any path."""
    found: list[dict[str, Any]] = []
    if rule.hosts:
        found.append({"Field": "host-header", "HostHeaderConfig": {"Values": list(rule.hosts)}})
    if rule.paths or not rule.hosts:
        found.append({"Field": "path-pattern", "PathPatternConfig": {"Values": list(rule.paths or ["/*"])}})
    return found


def _key(rule: Mapping[str, Any]) -> _Key:
    values: dict[str, tuple[str, ...]] = {}
    for one in rule["Conditions"]:
        config = one.get("HostHeaderConfig") or one.get("PathPatternConfig") or {}
        values[one["Field"]] = tuple(config.get("Values") or one.get("Values") or ())
    target = next((one.get("TargetGroupArn", "") for one in rule["Actions"]), "")
    return int(rule["Priority"]), values.get("host-header", ()), values.get("path-pattern", ()), target
