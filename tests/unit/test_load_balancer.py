"""What Ingresses ask for becomes a load balancer's listeners, rules and targets, as on AWS."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from embedded.identity import CloudIdentity
from embedded.load_balancer import cluster, records
from embedded.load_balancer.annotations import PREFIX, RefusedError, read
from embedded.load_balancer.health import Tally
from embedded.load_balancer.planning import Certificate, Group, LoadBalancer, groups, plan
from embedded.load_balancer.rules import HealthCheck, Rule, TargetGroup, first_match
from embedded.load_balancer.serving import forwarded_headers
from embedded.network_policies import rules as packet_rules
from embedded.network_policies.selection import Cluster, Pod
from embedded.node.layout import NodeLayout
from hypothesis import given
from hypothesis import strategies as st

from infra.auto_mode_tags import load_balancer_tags
from infra.chart_features import access_values
from infra.components import cluster_objects
from infra.settings import AccessSettings

Json = dict[str, Any]

HOST = "airflow.example.com"
ARN = "arn:aws:acm:eu-west-1:123456789012:certificate/11111111-2222"
CERTIFICATE = Certificate(ARN, (HOST,))
ANNOTATIONS = access_values(AccessSettings(host=HOST, certificate_arn=ARN))["ingress"]["apiServer"][
    "annotations"
]
CLASS: Json = {
    "metadata": {"name": "alb"},
    "spec": {"controller": "eks.amazonaws.com/alb", "parameters": {"name": "airflow"}},
}
PARAMETERS: Json = {
    "metadata": {"name": "airflow"},
    "spec": {
        "scheme": "internal",
        "group": {"name": cluster_objects.LOAD_BALANCER},
        "tags": load_balancer_tags({"owner": "data", "cost-centre": "7"}),
    },
}


def ingress(name: str = "airflow", namespace: str = "team", host: str = HOST, **changes: Any) -> Json:
    """One as the chart makes it."""
    backend = {"service": {"name": "airflow-api-server", "port": {"name": "api-server"}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend} | changes.pop("path", {})
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "annotations": changes.pop("annotations", ANNOTATIONS),
            **changes.pop("metadata", {}),
        },
        "spec": {"ingressClassName": "alb", "rules": [{"host": host, "http": {"paths": [path]}}], **changes},
    }


def service(namespace: str = "team") -> Json:
    return {
        "metadata": {"name": "airflow-api-server", "namespace": namespace},
        "spec": {"ports": [{"name": "api-server", "port": 8080}]},
    }


def planned(*ingresses: Json, certificates: tuple[Certificate, ...] = (CERTIFICATE,)) -> LoadBalancer:
    [group] = groups([CLASS], [PARAMETERS], ingresses)
    made = plan(group, [service(one["metadata"]["namespace"]) for one in ingresses], certificates)
    assert made is not None
    return made


def refusal(*ingresses: Json, certificates: tuple[Certificate, ...] = (CERTIFICATE,)) -> str:
    with pytest.raises(RefusedError) as error:
        planned(*ingresses, certificates=certificates)
    return str(error.value)


def test_the_programs_ingress_is_one_internal_listener_with_tls_and_one_rule() -> None:
    made = planned(ingress())
    check = HealthCheck(path="/api/v2/monitor/health")
    target = TargetGroup("team", "airflow-api-server", "api-server", check)
    rules = {443: (Rule((HOST,), ("/*",), target),)}
    assert replace(made, tags=()) == LoadBalancer("internal", {443: "HTTPS"}, (ARN,), rules)
    assert dict(made.tags) == {"owner": "data", "cost-centre": "7"}


def test_environments_of_one_group_share_a_load_balancer() -> None:
    other = ingress(namespace="another", host="other.example.com")
    wild = Certificate(ARN, ("*.example.com",))
    made = planned(ingress(), other, certificates=(wild,))
    assert made.hosts == ("other.example.com", HOST)
    assert [one.namespace for one in made.target_groups] == ["another", "team"]


def test_a_mistake_of_one_member_holds_up_its_group_and_no_other_one() -> None:
    wrong = ingress(namespace="wrong", annotations={**ANNOTATIONS, f"{PREFIX}scheme": "public"})
    said = refusal(ingress(), wrong)
    assert "wrong/airflow: unknown scheme: public" in said
    alone = {"metadata": {"name": "airflow"}, "spec": {"scheme": "internal"}}
    found = groups([CLASS], [alone], [ingress(), wrong])
    assert [one.name for one in found] == ["team/airflow", "wrong/airflow"]
    assert plan(found[0], [service()], [CERTIFICATE]) is not None


@pytest.mark.parametrize(
    ("annotation", "value", "named"),
    [
        ("listen-ports", "443", "failed to parse listen-ports"),
        ("listen-ports", "[]", "empty listen-ports"),
        ("listen-ports", '[{"TCP": 443}]', "HTTP or HTTPS: TCP"),
        ("listen-ports", '[{"HTTPS": 70000}]', "within [1, 65535]"),
        ("certificate-arn", "none", "invalid certificate ARN"),
        ("certificate-arn", f"{ARN}-other", "CertificateNotFound"),
        ("healthcheck-path", "health", "begin with a slash"),
        ("healthcheck-interval-seconds", "often", "no number of 5 to 300"),
        ("success-codes", "2xx", "success-codes"),
        ("target-type", "instance", "does not emulate"),
        ("actions.redirect", "{}", "does not emulate"),
    ],
)
def test_what_the_controller_refuses_is_refused(annotation: str, value: str, named: str) -> None:
    assert named in refusal(ingress(annotations={**ANNOTATIONS, f"{PREFIX}{annotation}": value}))


def test_https_without_a_named_certificate_takes_the_one_of_its_host() -> None:
    bare = {name: text for name, text in ANNOTATIONS.items() if "certificate" not in name}
    other = Certificate(f"{ARN}-other", ("other.example.com", "*.org"))
    wild = Certificate(f"{ARN}-wild", ("*.example.com",))
    made = planned(ingress(annotations=bare), certificates=(other, wild))
    assert made.certificate_arns == (wild.arn,)
    said = refusal(ingress(annotations=bare), certificates=(other,))
    assert f"no certificate found for host: {HOST}" in said


def test_a_backend_that_is_not_there_is_refused() -> None:
    [group] = groups([CLASS], [PARAMETERS], [ingress()])
    with pytest.raises(RefusedError, match="not found"):
        plan(group, [], [CERTIFICATE])


def test_a_deleted_ingress_leaves_its_group_and_is_held_until_then() -> None:
    finalizer = groups([CLASS], [PARAMETERS], [ingress()])[0].finalizer
    gone = ingress(metadata={"deletionTimestamp": "now", "finalizers": [finalizer, "another"]})
    [group] = groups([CLASS], [PARAMETERS], [gone])
    assert (group.members, group.leaving) == ((), (gone,))
    assert plan(group, [], []) is None


def test_an_ingress_of_another_controller_is_nobodys_business() -> None:
    other = {"metadata": {"name": "nginx"}, "spec": {"controller": "k8s.io/ingress-nginx"}}
    assert groups([CLASS, other], [PARAMETERS], [ingress(ingressClassName="nginx")]) == []


SEGMENTS = st.text(alphabet="ab.-", min_size=1, max_size=2)
PATHS = st.lists(SEGMENTS, max_size=4).map(lambda parts: "/" + "/".join(parts))


def means(path: Json, asked: str) -> bool:
    """Kubernetes' own words: https://kubernetes.io/docs/concepts/services-networking/ingress/#path-types"""
    if path["pathType"] == "Exact":
        return bool(asked == path["path"])
    wanted = [part for part in path["path"].split("/") if part]
    return asked.split("/")[1 : 1 + len(wanted)] == wanted


@given(path=PATHS, exact=st.booleans(), asked=PATHS)
def test_a_rule_matches_the_paths_that_kubernetes_says(path: str, exact: bool, asked: str) -> None:
    given_path = {"path": path, "pathType": "Exact" if exact else "Prefix"}
    rules = planned(ingress(path=given_path)).rules[443]
    assert (first_match(rules, HOST, asked) is not None) == means(given_path, asked)
    assert first_match(rules, f"other.{HOST}", asked) is None


@given(
    st.dictionaries(
        st.sampled_from(
            ["scheme", "listen-ports", "certificate-arn", "success-codes", "healthy-threshold-count", "x"]
        ).map(PREFIX.__add__),
        st.text(max_size=12) | st.sampled_from(['[{"HTTP": 80}]', "[1]", "{}", "null", '[{"HTTPS": "a"}]']),
    )
)
def test_annotations_of_any_text_are_read_or_refused(annotations: dict[str, str]) -> None:
    try:
        options = read(annotations)
    except RefusedError:
        return
    assert options.listeners
    assert 2 <= options.health_check.healthy_threshold <= 10


def test_the_longest_prefix_and_exact_paths_win() -> None:
    backend = {"service": {"name": "airflow-api-server", "port": {"number": 8080}}}
    paths = [
        {"path": path, "pathType": kind, "backend": backend}
        for path, kind in (("/", "Prefix"), ("/api", "Prefix"), ("/api/v2", "Prefix"), ("/api", "Exact"))
    ]
    rules = planned(ingress(rules=[{"host": HOST, "http": {"paths": paths}}])).rules[443]
    assert [rule.paths[0] for rule in rules] == ["/api", "/api/v2", "/api", "/*"]


def _slice(*endpoints: tuple[str, bool | None]) -> Json:
    return {
        "metadata": {"namespace": "team", "labels": {"kubernetes.io/service-name": "airflow-api-server"}},
        "addressType": "IPv4",
        "ports": [{"name": "api-server", "port": 8081}, {"name": "other", "port": 9}],
        "endpoints": [
            {"addresses": [address], "conditions": {} if ready is None else {"ready": ready}}
            for address, ready in endpoints
        ],
    }


def test_targets_are_the_ready_pods_of_the_services_port() -> None:
    endpoints = _slice(("10.0.0.1", True), ("10.0.0.2", False), ("10.0.0.3", None))
    snapshot = cluster.Snapshot([], [], [], [service()], [endpoints])
    target = TargetGroup("team", "airflow-api-server", "api-server", HealthCheck())
    assert cluster.targets(snapshot, target) == (("10.0.0.1", 8081), ("10.0.0.3", 8081))
    elsewhere = TargetGroup("other", "airflow-api-server", "api-server", HealthCheck())
    assert cluster.targets(snapshot, elsewhere) == ()


def test_a_target_is_healthy_at_its_first_good_answer_and_lost_after_its_threshold() -> None:
    tally, seen = Tally(2, 2), []
    for passed in (False, True, False, False, True, True):
        tally.add(passed)
        seen.append(tally.healthy)
    assert seen == [None, True, True, False, False, True]


def test_targets_learn_who_asked_and_how() -> None:
    environ = {
        "HTTP_HOST": HOST,
        "HTTP_X_FORWARDED_FOR": "192.0.2.1",
        "HTTP_X_FORWARDED_PROTO": "http",
        "HTTP_CONNECTION": "close",
        "REMOTE_ADDR": "192.0.2.2",
    }
    headers = forwarded_headers(environ, "https", 443)
    assert headers == {
        "Host": HOST,
        "X-Forwarded-For": "192.0.2.1, 192.0.2.2",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Port": "443",
    }


POD = Pod("team", "api", "10.200.1.5", {"app": "api"})
OWN, INSIDE = "10.200.0.16", "10.0.64.9"


@pytest.mark.parametrize(
    ("networks", "passes"),
    [
        (["10.0.0.0/16"], True),
        (["10.0.128.0/18"], False),
        # Its own address on this machine opens no door: it has none on AWS.
        (["10.200.0.0/16"], False),
        (["10.0.0.0/16", "10.200.0.0/16"], True),
    ],
)
def test_a_load_balancer_reaches_pods_as_from_its_subnets(networks: list[str], passes: bool) -> None:
    sources = [{"ipBlock": {"cidr": network}} for network in networks]
    policy = {
        "metadata": {"namespace": "team", "name": "api"},
        "spec": {"podSelector": {}, "ingress": [{"from": sources}]},
    }
    made = packet_rules.chains(Cluster([POD], {"team": {}}, [policy], {OWN: (INSIDE,)}))
    [chain] = [rules for name, rules in made.items() if name.startswith(packet_rules.POD_CHAIN)]
    let_in = [rule[1] for rule in chain if rule[-1] == "RETURN"]
    assert any(IPv4Address(OWN) in IPv4Network(one) for one in let_in) is passes


def test_every_load_balancer_has_an_address_of_its_own_and_its_names_lead_there(tmp_path: Path) -> None:
    identity = CloudIdentity.of(tmp_path)
    layout = cast(
        NodeLayout,
        SimpleNamespace(load_balancers=tmp_path / "a.json", load_balancer_hosts=tmp_path / "hosts"),
    )
    found: dict[str, records.Record] = {}
    for name in ("one", "two"):
        address = records.free_address(identity, found)
        assert address
        found[name] = records.Record(
            address, f"{name}.elb.amazonaws.com", ("10.0.0.9",), (f"{name}.example",)
        )
    records.write(layout, found)
    assert records.read(layout.load_balancers) == found
    assert len({one.address for one in found.values()}) == 2
    lines = (tmp_path / "hosts").read_text().splitlines()
    assert f"{found['two'].address} two.example" in lines
    assert f"{found['one'].address} one.elb.amazonaws.com" in lines
    (tmp_path / "a.json").write_text(json.dumps({"one": []}))
    assert records.read(layout.load_balancers) == {}


def test_groups_are_known_by_their_finalizers() -> None:
    group: Group = groups([CLASS], [PARAMETERS], [ingress()])[0]
    moved = ingress(ingressClassName="other", metadata={"finalizers": [group.finalizer]})
    [left] = groups([CLASS], [PARAMETERS], [moved])
    assert (left.name, left.leaving, left.members) == (group.name, (moved,), ())
