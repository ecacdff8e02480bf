"""Runs a whole program against a recording monitor: what is registered, with its inputs, options, edges."""

from __future__ import annotations

import asyncio
import importlib
import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime import config as runtime_config
from pulumi.runtime import mocks, resource, settings, stack
from pulumi.runtime import rpc as pulumi_rpc
from pulumi.runtime.proto import source_pb2

from infra.stacks import cluster, environment

# These modules warn of deprecated classes when they are first looked into; no test is to blame for that.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    for module in ("ec2", "vpc", "rds", "s3", "iam", "kms", "eks"):
        getattr(importlib.import_module(f"pulumi_aws.{module}"), "__all__", None)

CLUSTER_OUTPUTS = {
    "clusterName": "shared",
    "endpoint": "https://cluster.example",
    "certificateAuthority": "Y2VydGlmaWNhdGU=",
    "vpcId": "vpc-0123456789abcdef0",
    "privateSubnetIds": ["subnet-0aaaaaaaaaaaaaaaa", "subnet-0bbbbbbbbbbbbbbbb"],
    "clusterSecurityGroupId": "sg-0123456789abcdef0",
}
MIRROR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mirror"
HOST_OUTPUTS = {
    "host": "host.example",
    "port": 5432,
    "resourceId": "db-HOST",
    "administrationSecretArn": "arn:aws:secretsmanager:::secret:tenant",
    "administrationKeyArn": "arn:aws:kms:::key/host",
}


# The programs by the names of their projects.
PROGRAMS = {"airflow": environment.deploy, "airflow-cluster": cluster.deploy}


@dataclass(frozen=True)
class Registered:
    """One registered resource, as the engine would see it."""

    urn: str
    type: str
    name: str
    custom: bool
    parent: str
    provider: str
    providers: dict[str, str]
    protect: bool
    retain_on_delete: bool
    delete_before_replace: bool
    dependencies: frozenset[str]
    property_dependencies: frozenset[str]
    """URNs of resources whose outputs are among the inputs; the other dependencies were named."""
    inputs: dict[str, Any]
    secret_inputs: frozenset[str]
    additional_secret_outputs: frozenset[str]
    ignore_changes: tuple[str, ...]

    @property
    def parent_name(self) -> str:
        return self.parent.rsplit("::", 1)[-1]

    @property
    def dependency_names(self) -> set[str]:
        return {urn.rsplit("::", 1)[-1] for urn in self.dependencies}


@dataclass
class Graph:
    """Everything that a program registered and exported."""

    resources: list[Registered] = field(default_factory=list)
    exports: dict[str, Any] = field(default_factory=dict)

    def of(self, type_: str) -> list[Registered]:
        return [resource for resource in self.resources if resource.type == type_]

    def one(self, name: str) -> Registered:
        (found,) = [resource for resource in self.resources if resource.name == name]
        return found

    @property
    def custom(self) -> list[Registered]:
        return [resource for resource in self.resources if resource.custom]

    def reaches(self, later: str, earlier: str) -> bool:
        """Whether `later` is made after `earlier`, over any number of edges; names are logical."""
        # A child waits for its component, and so for what the component waits for.
        edges = {
            resource.name: resource.dependency_names | {resource.parent_name} for resource in self.resources
        }
        seen, todo = set(), [later]
        while todo:
            for name in edges.get(todo.pop(), set()):
                if name == earlier:
                    return True
                if name not in seen:
                    seen.add(name)
                    todo.append(name)
        return False


# Zones of a region by the end of their names, in the order that the provider gives them: type and id. The
# account opted into a Local Zone, and EKS takes no subnet in its first zone.
ZONES = {
    "-lax-1a": ("local-zone", "usw2-lax1-az1"),
    "a": ("availability-zone", "use1-az3"),
    "b": ("availability-zone", "use1-az1"),
    "c": ("availability-zone", "use1-az2"),
    "d": ("availability-zone", "use1-az4"),
}


def _zones(asked: dict[str, Any]) -> list[str]:
    kinds = [
        kind for one in asked.get("filters") or [] if one["name"] == "zone-type" for kind in one["values"]
    ]
    region, excluded = asked.get("region", "eu-west-1"), asked.get("excludeZoneIds") or []
    return [
        f"{region}{end}"
        for end, (kind, zone) in ZONES.items()
        if kind in (kinds or [kind]) and zone not in excluded
    ]


class _Answers(mocks.Mocks):
    """What AWS and Kubernetes would answer: inputs, and the attributes that the program reads.

    `lives` has other identities of resources, by logical name: made anew under the same names.
    """

    def __init__(self, lives: Mapping[str, str]) -> None:
        self._lives = lives

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        if args.typ == "pulumi:pulumi:StackReference":
            # A stack of this name is in a network without a way out.
            mirror = MIRROR if str(args.inputs["name"]).endswith("/closed") else ""
            return "reference", {
                "name": args.inputs["name"],
                "outputs": {**CLUSTER_OUTPUTS, "databaseHost": HOST_OUTPUTS, "imageMirror": mirror},
                "secretOutputNames": [],
            }
        arn = f"arn:aws:mock:::{args.name}"
        extra: dict[str, Any] = {"arn": arn, "keyId": f"key-{args.name}", "secretArn": arn}
        if args.typ == "aws:rds/instance:Instance":
            extra |= {
                "address": "database.example",
                "resourceId": self._lives.get(args.name, "db-IDENTITY"),
                "masterUserSecrets": [{"secretArn": "arn:aws:secretsmanager:::secret:master"}],
            }
        if args.typ.startswith("pulumi-python:dynamic/airflow:Random"):
            extra |= {"value": f"random-of-{args.name}"}
        if args.typ == "pulumi-python:dynamic/airflow:KeyRing":
            # Keys of every kind are texts; those that sign tokens have two parts.
            ring = f"key-of-{args.name}.public"
            extra |= {"value": ring, "history": ring, "generation": 0}
        if args.typ == "aws:eks/cluster:Cluster":
            extra |= {
                "endpoint": CLUSTER_OUTPUTS["endpoint"],
                "certificateAuthority": {"data": CLUSTER_OUTPUTS["certificateAuthority"]},
            }
        return self._lives.get(args.name, f"{args.name}-id"), {**args.inputs, **extra}

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[Any]]:
        if args.token == "aws:index/getAvailabilityZones:getAvailabilityZones":
            return {"names": _zones(args.args)}, []
        if args.token == "aws:eks/getCluster:getCluster":
            network = {
                "vpcId": "vpc-0123456789abcdef0",
                "subnetIds": CLUSTER_OUTPUTS["privateSubnetIds"],
                "clusterSecurityGroupId": "sg-0123456789abcdef0",
            }
            answer = {"name": args.args["name"], "endpoint": "https://brought.example", "vpcConfig": network}
            return {**answer, "certificateAuthorities": [{"data": "Y2VydGlmaWNhdGU="}]}, []
        if args.token == "aws:secretsmanager/getSecretVersion:getSecretVersion":
            name = str(args.args["secretId"]).rsplit("/", 1)[1]
            return {"secretString": f"text-of-{name.removesuffix('-AbCdEf')}"}, []
        if args.token == "pulumi:pulumi:readStackOutputs":
            return {"outputs": {}}, []
        raise AssertionError(f"unexpected call of {args.token}")


class _Recorder(mocks.MockMonitor):
    def __init__(self, answers: _Answers) -> None:
        super().__init__(answers)
        self.graph = Graph()

    def SupportsFeature(self, request: Any) -> Any:  # noqa: N802 - the SDK's name
        return type("Answer", (), {"hasSupport": request.id != "outputValues"})

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the SDK's name
        response = _in_own_loop(lambda: super(_Recorder, self).RegisterResource(request))
        if request.type != "pulumi:pulumi:Stack":
            self.graph.resources.append(_registered(request, response.urn))
        return response

    def Invoke(self, request: Any) -> Any:  # noqa: N802 - the SDK's name
        return _in_own_loop(lambda: super(_Recorder, self).Invoke(request))

    def ReadResource(self, request: Any) -> Any:  # noqa: N802 - the SDK's name
        return _in_own_loop(lambda: super(_Recorder, self).ReadResource(request))

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - the SDK's name
        if "pulumi:pulumi:Stack" in request.urn:
            self.graph.exports = pulumi_rpc.deserialize_properties(request.outputs, keep_unknowns=True)
        return super().RegisterResourceOutputs(request)


def _in_own_loop(call: Callable[[], Any]) -> Any:
    """Run a call of the SDK's monitor; it would make an event loop in each thread and close none."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        return call()
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def _registered(request: Any, urn: str) -> Registered:
    raw = pulumi_rpc.deserialize_properties(request.object, keep_unknowns=True)
    inputs = {key: pulumi_rpc.unwrap_rpc_secret(value) for key, value in raw.items()}
    return Registered(
        urn=urn,
        type=request.type,
        name=request.name,
        custom=request.custom,
        parent=request.parent,
        provider=request.provider,
        providers=dict(request.providers),
        protect=request.protect,
        retain_on_delete=request.retainOnDelete,
        delete_before_replace=request.deleteBeforeReplace,
        dependencies=frozenset(request.dependencies),
        property_dependencies=frozenset(
            urn for of_property in request.propertyDependencies.values() for urn in of_property.urns
        ),
        inputs=_plain(inputs),
        secret_inputs=frozenset(_secret_paths(raw)),
        additional_secret_outputs=frozenset(request.additionalSecretOutputs),
        ignore_changes=tuple(request.ignoreChanges),
    )


def _plain(value: Any) -> Any:
    value = pulumi_rpc.unwrap_rpc_secret(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _secret_paths(value: Any, path: str = "") -> Iterator[str]:
    if pulumi_rpc.is_rpc_secret(value):
        yield path
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _secret_paths(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _secret_paths(item, f"{path}[{index}]")


def record(
    *,
    project: str,
    stack_name: str,
    configuration: Mapping[str, Any],
    ca_bundle: Path,
    lives: Mapping[str, str] | None = None,
) -> Graph:
    """Run a project's program as `pulumi up` would, against the recorder; raises what the program raises."""
    texts = {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in configuration.items()
    }
    answers = _Answers(lives or {})
    recorder = _Recorder(answers)

    async def run() -> None:
        mocks.set_mocks(answers, project=project, stack=stack_name, preview=False, monitor=recorder)
        # Outputs that a unit test left belong to a loop that nobody runs any more; a program waits for all.
        settings.SETTINGS.outputs.clear()
        settings.set_root_resource(None)  # the mocks bring a stack of their own
        runtime_config.set_all_config(texts, [])
        await stack.run_in_stack(PROGRAMS[project])

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(1) as thread:
        patch.setenv("RDS_CA_BUNDLE", str(ca_bundle))
        # Where in the sources a resource is made is no part of a graph, and a tenth of what one takes.
        patch.setattr(resource, "_get_stack_trace", source_pb2.StackTrace)
        # A thread starts with an empty context: the SDK keeps its root resource and configuration in one.
        thread.submit(asyncio.run, run()).result()
    return recorder.graph
