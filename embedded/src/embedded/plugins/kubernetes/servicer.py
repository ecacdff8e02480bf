"""From the engine's wire format to `Operations` and back.

The SDK's own servicer leaves out what this plugin needs of the protocol: the old inputs of a diff, state of a
resource that was made and is not ready, and errors that are their text and nothing else.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn, TypeVar

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.provider import Provider
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime.proto import provider_pb2, status_pb2

from embedded.plugins.common.errors import InitializationError, PluginError
from embedded.plugins.kubernetes import settings as provider_settings
from embedded.plugins.kubernetes.cluster import Cluster
from embedded.plugins.kubernetes.differences import (
    Difference,
    Kind,
    render_path,
    without_ignored,
)
from embedded.plugins.kubernetes.engine_log import Log
from embedded.plugins.kubernetes.kinds import HELM_RELEASE, type_of, unsupported
from embedded.plugins.kubernetes.naming import NameSource
from embedded.plugins.kubernetes.operations import Context, Known, Operations
from embedded.plugins.kubernetes.properties import Properties, mask

_Answer = TypeVar("_Answer")

# Most of them sleep while they wait for a cluster; the engine's own limit is 4 operations per processor.
_PARALLEL_OPERATIONS = 64

_DIFFERENCE_KINDS = {
    (Kind.ADD, False): provider_pb2.PropertyDiff.ADD,
    (Kind.ADD, True): provider_pb2.PropertyDiff.ADD_REPLACE,
    (Kind.DELETE, False): provider_pb2.PropertyDiff.DELETE,
    (Kind.DELETE, True): provider_pb2.PropertyDiff.DELETE_REPLACE,
    (Kind.UPDATE, False): provider_pb2.PropertyDiff.UPDATE,
    (Kind.UPDATE, True): provider_pb2.PropertyDiff.UPDATE_REPLACE,
}


def read_properties(values: struct_pb2.Struct) -> Properties:
    """Properties from the wire."""
    return Properties.of(PropertyValue.unmarshal_map(values))


def write_properties(properties: Properties | Mapping[str, PropertyValue]) -> struct_pb2.Struct:
    """Properties for the wire."""
    values = properties.to_engine() if isinstance(properties, Properties) else dict(properties)
    return PropertyValue.marshal_map(values)


class Servicer(ProviderServicer):
    """Serves one provider instance: the engine starts a process for each."""

    def __init__(
        self, arguments: list[str], version: str, engine_address: str, log: Log, releases: "ReleaseFactory"
    ) -> None:
        super().__init__(arguments, version, Provider(), engine_address)
        self._log = log
        self._releases = releases
        self._cancelled = threading.Event()
        self._threads = ThreadPoolExecutor(_PARALLEL_OPERATIONS, thread_name_prefix="operation")
        self._operations: dict[str, Operations] = {}

    async def _run(self, context: Any, secrets: list[str], work: Callable[[], _Answer]) -> _Answer:
        """Run blocking work in a thread; what it raises becomes the call's error, with secrets masked."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except InitializationError as error:
            metadata = _initialization_details(error, mask(str(error), secrets))
            await context.abort(grpc.StatusCode.UNKNOWN, mask(str(error), secrets), metadata)
        except PluginError as error:
            await context.abort(grpc.StatusCode.UNKNOWN, mask(str(error), secrets))
        except Exception as error:  # noqa: BLE001 - whatever it is, the engine gets a sentence
            text = mask(f"unexpected {type(error).__name__} in the kubernetes plugin: {error}", secrets)
            await context.abort(grpc.StatusCode.INTERNAL, text)
        raise AssertionError("abort always raises")

    def _context(self, urn: str) -> Context:
        return Context(urn, self._log, self._cancelled)

    def _operations_for(self, urn: str) -> Operations:
        if not self._operations:
            raise PluginError("the provider was not configured before its first use")
        return self._operations["release" if type_of(urn) == HELM_RELEASE else "object"]

    def stop(self) -> None:
        """End all waiting and all helper processes; return when every operation has ended."""
        self._cancelled.set()
        self._threads.shutdown(wait=True)

    async def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 - name of the protocol
        """End all waiting; every operation returns with what it has."""
        self._cancelled.set()
        return empty_pb2.Empty()

    async def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Judge a provider's settings."""
        inputs = read_properties(request.news)
        failures = await self._run(context, [], lambda: provider_settings.check(inputs))
        return provider_pb2.CheckResponse(inputs=request.news, failures=_failures(failures))

    async def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Whether changed settings mean another cluster."""
        old, new = read_properties(request.old_inputs or request.olds), read_properties(request.news)
        found = await self._run(context, [], lambda: provider_settings.difference(old, new))
        changes = (
            provider_pb2.DiffResponse.DIFF_SOME if found.changed else provider_pb2.DiffResponse.DIFF_NONE
        )
        return provider_pb2.DiffResponse(changes=changes, diffs=found.changed, replaces=found.replaces)

    async def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Take the settings; the cluster is asked only when an operation needs it."""
        inputs = read_properties(request.args)

        def work() -> None:
            from embedded.plugins.kubernetes.object_provider import ObjectOperations

            cluster = Cluster(provider_settings.read(inputs))
            self._operations = {"object": ObjectOperations(cluster), "release": self._releases(cluster)}

        await self._run(context, [], work)
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, supports_autonaming_configuration=True
        )

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Complete and judge a resource's inputs."""
        old, new = read_properties(request.olds), read_properties(request.news)
        wish = request.autonaming
        names = NameSource(
            request.urn.split("::", 3)[3],
            request.randomSeed,
            wish.proposed_name,
            wish.mode == provider_pb2.CheckRequest.AutonamingOptions.DISABLE,
        )
        checked = await self._run(
            context,
            new.secret_texts(),
            lambda: self._operations_for(request.urn).check(self._context(request.urn), old, new, names),
        )
        return provider_pb2.CheckResponse(
            inputs=write_properties(checked.inputs), failures=_failures(checked.failures)
        )

    async def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802
        """What an update would change, with the paths of the inputs."""
        old_inputs, new = read_properties(request.old_inputs), read_properties(request.news)
        known = Known(request.id, old_inputs, read_properties(request.olds))
        compared = await self._run(
            context,
            new.secret_texts(),
            lambda: self._operations_for(request.urn).diff(self._context(request.urn), known, new),
        )
        found = without_ignored(compared.differences, request.ignoreChanges)
        return _diff_response(found, compared.delete_before_replace)

    async def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Make a resource."""
        inputs = read_properties(request.properties)
        stored = await self._run(
            context,
            inputs.secret_texts(),
            lambda: self._operations_for(request.urn).create(
                self._context(request.urn), inputs, request.timeout, request.preview
            ),
        )
        return provider_pb2.CreateResponse(id=stored.resource_id, properties=write_properties(stored.outputs))

    async def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        """A resource as it is now."""
        known = Known(request.id, read_properties(request.inputs), read_properties(request.properties))
        stored = await self._run(
            context,
            known.inputs.secret_texts(),
            lambda: self._operations_for(request.urn).read(self._context(request.urn), known),
        )
        return provider_pb2.ReadResponse(
            id=stored.resource_id,
            properties=write_properties(stored.outputs),
            inputs=write_properties(stored.inputs),
        )

    async def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Change a resource in place."""
        inputs = read_properties(request.news)
        known = Known(request.id, read_properties(request.old_inputs), read_properties(request.olds))
        stored = await self._run(
            context,
            inputs.secret_texts() + known.inputs.secret_texts(),
            lambda: self._operations_for(request.urn).update(
                self._context(request.urn), known, inputs, request.timeout, request.preview
            ),
        )
        return provider_pb2.UpdateResponse(properties=write_properties(stored.outputs))

    async def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Delete a resource."""
        known = Known(request.id, read_properties(request.old_inputs), read_properties(request.properties))
        await self._run(
            context,
            known.inputs.secret_texts(),
            lambda: self._operations_for(request.urn).delete(
                self._context(request.urn), known, request.timeout
            ),
        )
        return empty_pb2.Empty()

    async def Construct(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Refuse components by their name."""
        await self._run(context, [], lambda: _refuse(request.type))

    async def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Refuse functions by their name."""
        await self._run(context, [], lambda: _refuse(request.tok))

    async def Call(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Refuse methods by their name."""
        await self._run(context, [], lambda: _refuse(request.tok))

    async def GetSchema(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """There is none: programs carry the SDK, which holds it."""
        await context.abort(
            grpc.StatusCode.UNIMPLEMENTED, "the kubernetes plugin of the embedded cloud carries no schema"
        )


ReleaseFactory = Callable[[Cluster], Operations]


def _refuse(token: str) -> NoReturn:
    raise unsupported(token)


def _failures(found: list[tuple[str, str]]) -> list[provider_pb2.CheckFailure]:
    return [provider_pb2.CheckFailure(property=name, reason=reason) for name, reason in found]


def _diff_response(found: list[Difference], delete_before_replace: bool) -> provider_pb2.DiffResponse:
    some, none = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE
    replaces = [render_path(one.path) for one in found if one.replaces]
    return provider_pb2.DiffResponse(
        changes=some if found else none,
        replaces=replaces,
        deleteBeforeReplace=delete_before_replace and bool(replaces),
        diffs=sorted({str(one.path[0]) for one in found}),
        detailedDiff={
            render_path(one.path): provider_pb2.PropertyDiff(
                kind=_DIFFERENCE_KINDS[one.kind, one.replaces], inputDiff=True
            )
            for one in found
        },
        hasDetailedDiff=True,
    )


def _initialization_details(error: InitializationError, message: str) -> tuple[tuple[str, bytes], ...]:
    """Trailing metadata in which the engine looks for the state of a resource that is not ready."""
    detail = provider_pb2.ErrorResourceInitFailed(
        id=error.resource_id,
        properties=write_properties(error.properties),
        inputs=write_properties(error.inputs),
        reasons=[message],
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=message)
    status.details.add().Pack(detail)
    return (("grpc-status-details-bin", status.SerializeToString()),)
