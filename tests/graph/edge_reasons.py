"""Reasons of named edges: what a resource waits for though none of its inputs comes from there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from graph_recording import Graph

# (who waits, for what), names of resources or of whole components: why. Reasons of what a parameter adds are
# beside the tests of that graph.
Reasons = Mapping[tuple[str, str], str]
REASONS = {
    (
        "namespace",
        "identity",
    ): "the last pods use their roles while they die, and a destroy goes backwards",
    ("namespace", "metadata-database"): "the last pods close their sessions while they die",
    ("namespace", "remote-logs"): "the last pods write their logs while they die",
    ("tenant", "namespace"): "its Job's pod mounts and names what the namespace holds",
    ("tenant", "secrets"): "its Job's pod mounts Secrets by name",
    ("migration", "namespace"): "its pod mounts and names what the namespace holds",
    ("migration", "secrets"): "its pod mounts Secrets by name",
    ("migration", "metadata-connection"): "its pod mounts its Secret by name",
    ("metadata-connection", "tenant"): "who reads it logs in by a role that is there",
    ("pgbouncer", "tenant"): "who reads it logs in by a role that is there",
    ("airflow", "migration"): "no pod starts on a database that was not migrated",
    ("airflow", "dag-parameters"): "no DAG is parsed without its Connections",
    ("airflow", "recovery-set"): "nothing is encrypted with a key that is not kept",
    ("airflow", "pgbouncer"): "pods mount its Secrets by name",
    ("airflow-release", "airflow-canary"): "pods mount the DAG by the ConfigMap's name",
    (
        "remote-logs-lifecycle",
        "remote-logs-versioning",
    ): "S3 refuses rules on versions of a bucket without any",
    (
        "remote-logs-policy",
        "remote-logs-public-access",
    ): "S3 refuses two changes of a bucket's access at once",
    ("*database-instance", "*database-log-*"): "RDS would make the groups, without retention",
    ("*identity-*-association", "*identity-*-policy"): "pods get the role when it can do what they need",
    ("alarms-events-*", "alarms-topic-policy"): "RDS refuses a topic to which it may not publish",
    ("guard", "*"): "it is deleted before all else, and refuses while environments are there",
    ("kubernetes-cluster", "kubernetes-log-group"): "EKS would make the group, without retention",
    ("kubernetes-cluster", "kubernetes-*-Amazon*"): "EKS refuses a role without its policies",
    ("kubernetes-cluster", "kubernetes-volume-encryption"): "the first node's disk needs the key",
    ("kubernetes-cluster", "kubernetes-resource-tags"): "EKS's own policies make no node that bears our tags",
    ("network-flow-log", "network-flow-log-policy"): "a role that may not write makes the flow log fail",
    ("network-nat-*", "network-public-internet"): "a NAT gateway without a way out fails",
}


def named_edges(graph: Graph) -> Iterator[tuple[str, str, str]]:
    """Who waits, for which resource, and of which component that is."""
    component_of = {resource.urn: resource.parent_name for resource in graph.resources}
    for resource in graph.resources:
        for urn in resource.dependencies - resource.property_dependencies:
            yield resource.name, urn.rsplit("::", 1)[-1], component_of[urn]


def _reason(edge: tuple[str, str, str], reasons: Reasons) -> tuple[str, str] | None:
    waits, on, component = edge
    for who, what in reasons:
        if fnmatchcase(waits, who) and (fnmatchcase(on, what) or component == what):
            return who, what
    return None


def without_reason(graph: Graph, reasons: Reasons = REASONS) -> set[tuple[str, str]]:
    """The named edges that no reason speaks of."""
    return {edge[:2] for edge in named_edges(graph) if _reason(edge, reasons) is None}


def left_over(graphs: Iterable[Graph], reasons: Reasons = REASONS) -> set[tuple[str, str]]:
    """The reasons that speak of no edge."""
    return set(reasons) - {_reason(edge, reasons) for graph in graphs for edge in named_edges(graph)}
