"""Which load balancers a cluster's Ingresses ask for. Pure; objects are the API server's JSON.

Ingresses of a group share one load balancer, and its mistakes: what one of them asks for wrongly holds up the
changes of all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from embedded.load_balancer.annotations import Options, RefusedError, read
from embedded.load_balancer.rules import Rule, TargetGroup

Json = Mapping[str, Any]

CONTROLLER: Final = "eks.amazonaws.com/alb"
# In Auto Mode a group is named by the class' parameters alone. The finalizers are those of the controller
# that Auto Mode is made from, under EKS's own domain as its tags are.
# https://docs.aws.amazon.com/eks/latest/userguide/auto-configure-alb.html
_GROUP_FINALIZER: Final = "group.ingress.eks.amazonaws.com/"
_OWN_FINALIZER: Final = "ingress.eks.amazonaws.com/resources"


@dataclass(frozen=True)
class Certificate:
    """A certificate of the account that load balancers may use."""

    arn: str
    names: tuple[str, ...]

    def covers(self, host: str) -> bool:
        """Whether it is for this host; a wildcard stands for one label."""
        parent = host.lower().partition(".")[2]
        names = {name.lower() for name in self.names}
        return host.lower() in names or (bool(parent) and f"*.{parent}" in names)


@dataclass(frozen=True)
class Group:
    """Ingresses that share a load balancer, by its name."""

    name: str
    finalizer: str
    scheme: str | None
    """As the class' parameters have it; they win over annotations."""
    certificate_arns: tuple[str, ...]
    """As the class' parameters have them."""
    tags: tuple[tuple[str, str], ...]
    """As the class' parameters have them: of all that is made for the group."""
    members: tuple[Json, ...]
    """In the order of their rules: by namespace and name."""
    leaving: tuple[Json, ...]
    """Ingresses that are being deleted, or have another class now, and still carry the finalizer."""


@dataclass(frozen=True)
class LoadBalancer:
    """What a group's load balancer has to be."""

    scheme: str
    listeners: Mapping[int, str]
    """Port -> HTTP or HTTPS."""
    certificate_arns: tuple[str, ...]
    """The first one is the default."""
    rules: Mapping[int, tuple[Rule, ...]]
    """Port of the listener -> its rules in the order of their priorities."""
    tags: tuple[tuple[str, str], ...] = ()
    """Key and value, beside the controller's own."""

    @property
    def target_groups(self) -> tuple[TargetGroup, ...]:
        """Every target group once."""
        return tuple(dict.fromkeys(rule.target_group for rules in self.rules.values() for rule in rules))

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every host that a rule names, without patterns."""
        named = (host for rules in self.rules.values() for rule in rules for host in rule.hosts)
        return tuple(dict.fromkeys(host for host in named if "*" not in host))


def groups(classes: Iterable[Json], parameters: Iterable[Json], ingresses: Iterable[Json]) -> list[Group]:
    """The groups of all Ingresses that are, or were, of a class of EKS's controller."""
    ours = {one["metadata"]["name"]: one for one in classes if one["spec"].get("controller") == CONTROLLER}
    default = next((name for name, one in ours.items() if _is_default(one)), None)
    specs = {one["metadata"]["name"]: one["spec"] for one in parameters}
    members: dict[str, list[Json]] = {}
    leaving: dict[str, list[Json]] = {}
    spec_of: dict[str, Json] = {}
    for ingress in sorted(ingresses, key=_order):
        class_name = ingress["spec"].get("ingressClassName", default)
        wanted = None
        if class_name in ours and "deletionTimestamp" not in ingress["metadata"]:
            reference = ours[class_name]["spec"].get("parameters") or {}
            spec = specs.get(reference.get("name", ""), {})
            wanted = (spec.get("group") or {}).get("name") or "/".join(_order(ingress))
            members.setdefault(wanted, []).append(ingress)
            spec_of[wanted] = spec
        for held in _held(ingress):
            if held != wanted:
                leaving.setdefault(held, []).append(ingress)
    return [
        Group(
            name=name,
            finalizer=_finalizer(name),
            scheme=spec_of.get(name, {}).get("scheme"),
            certificate_arns=tuple(spec_of.get(name, {}).get("certificateARNs") or ()),
            tags=tuple((one["key"], one["value"]) for one in spec_of.get(name, {}).get("tags") or ()),
            members=tuple(members.get(name, ())),
            leaving=tuple(leaving.get(name, ())),
        )
        for name in sorted({*members, *leaving})
    ]


def _is_default(ingress_class: Json) -> bool:
    annotations = ingress_class["metadata"].get("annotations") or {}
    return annotations.get("ingressclass.kubernetes.io/is-default-class") == "true"


def _order(ingress: Json) -> tuple[str, str]:
    return ingress["metadata"]["namespace"], ingress["metadata"]["name"]


def _finalizer(group: str) -> str:
    """A slash is in the names of groups that nobody named: of one Ingress alone."""
    return _OWN_FINALIZER if "/" in group else f"{_GROUP_FINALIZER}{group}"


def _held(ingress: Json) -> Iterator[str]:
    """The groups whose finalizers an Ingress carries."""
    for finalizer in ingress["metadata"].get("finalizers") or []:
        if finalizer.startswith(_GROUP_FINALIZER):
            yield finalizer.removeprefix(_GROUP_FINALIZER)
        elif finalizer == _OWN_FINALIZER:
            yield "/".join(_order(ingress))


def plan(group: Group, services: Iterable[Json], certificates: Sequence[Certificate]) -> LoadBalancer | None:
    """The load balancer of a group; None for one without members.

    Args:
        group: the Ingresses.
        services: of the whole cluster.
        certificates: what the account has issued or imported.

    Raises:
        RefusedError: what makes the controller stop; everything of all members.
    """
    ports = {_order(service): service["spec"].get("ports") or [] for service in services}
    mistakes: list[str] = []
    read_members: list[tuple[Json, Options]] = []
    for ingress in group.members:
        try:
            read_members.append((ingress, read(ingress["metadata"].get("annotations") or {})))
        except RefusedError as error:
            mistakes.append(f"ingress: {'/'.join(_order(ingress))}: {error}")
    if not group.members:
        return None
    schemes = {options.scheme for _, options in read_members if options.scheme}
    if group.scheme is None and len(schemes) > 1:
        mistakes.append(f"conflicting scheme: {', '.join(sorted(schemes))}")
    listeners = _listeners(read_members, mistakes)
    arns = _certificates(group, read_members, certificates, mistakes)
    rules = {
        port: tuple(
            rule
            for ingress, options in read_members
            if (protocol, port) in options.listeners
            for rule in _rules(ingress, options, ports, mistakes)
        )
        for port, protocol in listeners.items()
    }
    if mistakes:
        raise RefusedError("; ".join(dict.fromkeys(mistakes)))
    scheme = group.scheme or next(iter(schemes), "internal")
    return LoadBalancer(scheme, listeners, arns, rules, group.tags)


def _listeners(members: Sequence[tuple[Json, Options]], mistakes: list[str]) -> dict[int, str]:
    found: dict[int, str] = {}
    for _, options in members:
        for protocol, port in options.listeners:
            if found.setdefault(port, protocol) != protocol:
                mistakes.append(f"conflicting protocol of listener port {port}: HTTP, HTTPS")
    return dict(sorted(found.items()))


def _certificates(
    group: Group,
    members: Sequence[tuple[Json, Options]],
    available: Sequence[Certificate],
    mistakes: list[str],
) -> tuple[str, ...]:
    """Those that are named, else one for each host.

    https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/cert_discovery/
    """
    known = {one.arn for one in available}
    found: list[str] = list(group.certificate_arns)
    for ingress, options in members:
        if all(protocol != "HTTPS" for protocol, _ in options.listeners) or group.certificate_arns:
            continue
        found += options.certificate_arns
        for host in () if options.certificate_arns else _hosts(ingress):
            matching = [one.arn for one in available if one.covers(host)]
            if not matching:
                mistakes.append(
                    f"ingress: {'/'.join(_order(ingress))}: no certificate found for host: {host}"
                )
            found += matching
        if not options.certificate_arns and not _hosts(ingress):
            mistakes.append(f"ingress: {'/'.join(_order(ingress))}: HTTPS needs a certificate, or a host")
    # What the account does not have is what the listener is refused for.
    mistakes += [f"CertificateNotFound: Certificate '{arn}' not found" for arn in found if arn not in known]
    return tuple(dict.fromkeys(found))


def _hosts(ingress: Json) -> list[str]:
    spec = ingress["spec"]
    secured = [host for entry in spec.get("tls") or [] for host in entry.get("hosts") or []]
    ruled = [rule["host"] for rule in spec.get("rules") or [] if rule.get("host")]
    return list(dict.fromkeys([*secured, *ruled]))


def _rules(
    ingress: Json, options: Options, ports: Mapping[tuple[str, str], Sequence[Json]], mistakes: list[str]
) -> Iterator[Rule]:
    """The rules of one Ingress; exact paths first, then the longest prefixes."""
    for entry in ingress["spec"].get("rules") or []:
        paths = sorted((entry.get("http") or {}).get("paths") or [], key=_precedence)
        for path in paths:
            target = _target(ingress, path["backend"], options, ports, mistakes)
            patterns = _patterns(ingress, path, mistakes)
            if target is not None:
                yield Rule((entry["host"],) if entry.get("host") else (), patterns, target)
    if backend := ingress["spec"].get("defaultBackend"):
        target = _target(ingress, backend, options, ports, mistakes)
        if target is not None:
            yield Rule((), (), target)


def _precedence(path: Json) -> tuple[int, int]:
    kinds = {"Exact": 0, "Prefix": 1}
    kind = kinds.get(path.get("pathType", ""), 2)
    return kind, -len(path.get("path") or "/") if kind == 1 else 0


def _patterns(ingress: Json, path: Json, mistakes: list[str]) -> tuple[str, ...]:
    text, kind = path.get("path") or "/", path.get("pathType")
    if kind not in ("Exact", "Prefix"):
        return (text,) if path.get("path") else ("/*",)
    if "*" in text or "?" in text:
        mistakes.append(
            f"ingress: {'/'.join(_order(ingress))}: {kind} path shouldn't contain wildcards: {text}"
        )
    if kind == "Exact":
        return (text,)
    if text == "/":
        return ("/*",)
    return (text.rstrip("/"), f"{text.rstrip('/')}/*")


def _target(
    ingress: Json,
    backend: Json,
    options: Options,
    ports: Mapping[tuple[str, str], Sequence[Json]],
    mistakes: list[str],
) -> TargetGroup | None:
    namespace, name = _order(ingress)
    service = backend.get("service")
    if service is None:
        mistakes.append(f'ingress: {namespace}/{name}: missing required "service" field')
        return None
    wanted = service["port"].get("name") or service["port"].get("number")
    known = ports.get((namespace, service["name"]))
    if known is None:
        mistakes.append(f'ingress: {namespace}/{name}: Service "{service["name"]}" not found')
    elif not any(wanted in (port.get("name"), port["port"]) for port in known):
        mistakes.append(
            f"ingress: {namespace}/{name}: unable to find port {wanted} on service {service['name']}"
        )
    return TargetGroup(namespace, service["name"], wanted, options.health_check)
