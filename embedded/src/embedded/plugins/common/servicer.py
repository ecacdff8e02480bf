"""From the engine's calls to a `Plugin` and back.

It differs from the servicer of the SDK in what a user sees and a plugin needs: an error is its text, never a
traceback, and secrets in it are masked; a resource that was made and then failed is reported as such; a diff
and an update get the old inputs; a change of the provider's settings is told with the value that the protocol
means (the SDK passes a boolean where an enumeration is expected).
"""

import asyncio
import os
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NoReturn, TypeVar

import grpc
from google.protobuf.empty_pb2 import Empty

from embedded.plugins.common.differences import Difference, Kind, render_path, without_ignored
from embedded.plugins.common.engine_log import Log
from embedded.plugins.common.errors import InitializationError, PluginError
from embedded.plugins.common.naming import NameSource
from embedded.plugins.common.operations import Compared, Context, Failures, Known, Operations, Plugin
from embedded.plugins.common.properties import Properties, mask
from embedded.plugins.common.protocol import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2
from embedded.plugins.common.urns import name_of, type_of

TRACE_VARIABLE: Final = "EMBEDDED_PLUGIN_TRACE"
"""Set to print the traceback of an unexpected error, for whoever works on a plugin."""

_PARALLEL_OPERATIONS: Final = 64
"""Most of them wait for an answer; the engine's own limit is 4 operations per processor."""

_Answer = TypeVar("_Answer")

_DIFFERENCE_KINDS: Final = {
    (Kind.ADD, False): provider_pb2.PropertyDiff.ADD,
    (Kind.ADD, True): provider_pb2.PropertyDiff.ADD_REPLACE,
    (Kind.DELETE, False): provider_pb2.PropertyDiff.DELETE,
    (Kind.DELETE, True): provider_pb2.PropertyDiff.DELETE_REPLACE,
    (Kind.UPDATE, False): provider_pb2.PropertyDiff.UPDATE,
    (Kind.UPDATE, True): provider_pb2.PropertyDiff.UPDATE_REPLACE,
}


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Serves one provider instance: the engine starts a process for each."""

    def __init__(self, plugin: Plugin, version: str, log: Log) -> None:
        self._plugin = plugin
        self._version = version
        self._log = log
        self._cancelled = threading.Event()
        self._threads = ThreadPoolExecutor(_PARALLEL_OPERATIONS, thread_name_prefix="operation")

    async def _run(self, context: Any, secrets: list[str], work: Callable[[], _Answer]) -> _Answer:
        """Run blocking work in a thread; what it raises becomes the call's error, with secrets masked."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except InitializationError as error:
            text = mask(str(error), secrets)
            await context.abort(grpc.StatusCode.UNKNOWN, text, _initialization_details(error, text))
        except PluginError as error:
            await context.abort(grpc.StatusCode.UNKNOWN, mask(str(error), secrets))
        except Exception as error:  # noqa: BLE001 - whatever it is, the engine gets a sentence
            if os.environ.get(TRACE_VARIABLE):
                traceback.print_exc()
            text = f"unexpected {type(error).__name__} in the {self._plugin.name} plugin: {error}"
            said = f"{mask(text, secrets)} (set {TRACE_VARIABLE}=1 for where)"
            await context.abort(grpc.StatusCode.INTERNAL, said)
        raise AssertionError("abort always raises")

    def _context(self, urn: str) -> Context:
        return Context(urn, self._log, self._cancelled)

    def _operations(self, urn: str) -> Operations:
        return self._plugin.operations(type_of(urn))

    def stop(self) -> None:
        """End all waiting and all helper processes; return when every operation has ended."""
        self._cancelled.set()
        self._threads.shutdown(wait=True)

    # --- the plugin and its settings ---

    async def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 - the protocol's
        """The version that programs ask for."""
        return plugin_pb2.PluginInfo(version=self._version)

    async def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """End all waiting; every operation returns with what it has."""
        self._cancelled.set()
        return Empty()

    async def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Judge a provider's settings."""
        inputs = Properties.of(request.news)
        failures = await self._run(context, [], lambda: self._plugin.check_settings(inputs))
        return provider_pb2.CheckResponse(inputs=request.news, failures=_failures(failures))

    async def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        """What other settings mean for the resources."""
        old, new = Properties.of(request.old_inputs or request.olds), Properties.of(request.news)
        found = await self._run(context, [], lambda: self._plugin.compare_settings(old, new))
        some, none = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE
        changes = some if found.changed else none
        return provider_pb2.DiffResponse(changes=changes, diffs=found.changed, replaces=found.replaces)

    async def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Take the settings."""
        inputs = Properties.of(request.args)
        await self._run(
            context, inputs.secret_texts(), lambda: self._plugin.configure(inputs, self._cancelled)
        )
        # Output values with dependencies are not asked for: the engine keeps dependencies itself.
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True,
            supportsPreview=True,
            supports_autonaming_configuration=self._plugin.autonaming,
        )

    # --- resources ---

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Complete and judge a resource's inputs."""
        old, new = Properties.of(request.olds), Properties.of(request.news)
        wish = request.autonaming
        forbidden = wish.mode == provider_pb2.CheckRequest.AutonamingOptions.DISABLE
        names = NameSource(name_of(request.urn), request.randomSeed, wish.proposed_name, forbidden)
        checked = await self._run(
            context,
            new.secret_texts(),
            lambda: self._operations(request.urn).check(self._context(request.urn), old, new, names),
        )
        return provider_pb2.CheckResponse(
            inputs=checked.inputs.to_struct(), failures=_failures(checked.failures)
        )

    async def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802
        """What an update would change."""
        new = Properties.of(request.news)
        known = Known(request.id, Properties.of(request.old_inputs), Properties.of(request.olds))
        compared = await self._run(
            context,
            new.secret_texts(),
            lambda: self._operations(request.urn).diff(self._context(request.urn), known, new),
        )
        return _diff_response(compared, without_ignored(compared.differences, request.ignoreChanges))

    async def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Make a resource."""
        inputs = Properties.of(request.properties)
        stored = await self._run(
            context,
            inputs.secret_texts(),
            lambda: self._operations(request.urn).create(
                self._context(request.urn), inputs, request.timeout, request.preview
            ),
        )
        return provider_pb2.CreateResponse(id=stored.resource_id, properties=stored.outputs.to_struct())

    async def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        """A resource as it is now."""
        known = Known(request.id, Properties.of(request.inputs), Properties.of(request.properties))
        stored = await self._run(
            context,
            known.inputs.secret_texts(),
            lambda: self._operations(request.urn).read(self._context(request.urn), known),
        )
        return provider_pb2.ReadResponse(
            id=stored.resource_id, properties=stored.outputs.to_struct(), inputs=stored.inputs.to_struct()
        )

    async def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Change a resource in place."""
        inputs = Properties.of(request.news)
        known = Known(request.id, Properties.of(request.old_inputs), Properties.of(request.olds))
        stored = await self._run(
            context,
            inputs.secret_texts() + known.inputs.secret_texts(),
            lambda: self._operations(request.urn).update(
                self._context(request.urn), known, inputs, request.timeout, request.preview
            ),
        )
        return provider_pb2.UpdateResponse(properties=stored.outputs.to_struct())

    async def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Delete a resource."""
        known = Known(request.id, Properties.of(request.old_inputs), Properties.of(request.properties))
        await self._run(
            context,
            known.inputs.secret_texts(),
            lambda: self._operations(request.urn).delete(self._context(request.urn), known, request.timeout),
        )
        return Empty()

    # --- the rest ---

    async def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Answer a function."""
        arguments = Properties.of(request.args)
        answer = await self._run(
            context, arguments.secret_texts(), lambda: self._plugin.invoke(request.tok, arguments)
        )
        return provider_pb2.InvokeResponse(**{"return": answer.to_struct()})  # type: ignore[arg-type]

    async def Construct(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Refuse components by their name."""
        await self._run(context, [], lambda: self._refuse(f"component {request.type}"))

    async def Call(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Refuse methods by their name."""
        await self._run(context, [], lambda: self._refuse(f"method {request.tok}"))

    async def GetSchema(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """There is none: programs carry the SDK, which holds it."""
        await context.abort(
            grpc.StatusCode.UNIMPLEMENTED,
            f"the {self._plugin.name} plugin of the embedded cloud carries no schema",
        )

    def _refuse(self, what: str) -> NoReturn:
        raise PluginError(f"{what} is not emulated by the {self._plugin.name} plugin of the embedded cloud")


def _failures(found: Failures) -> list[provider_pb2.CheckFailure]:
    return [provider_pb2.CheckFailure(property=name, reason=reason) for name, reason in found]


def _diff_response(compared: Compared, found: list[Difference]) -> provider_pb2.DiffResponse:
    some, none = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE
    replaces = [render_path(one.path) for one in found if one.replaces]
    return provider_pb2.DiffResponse(
        changes=some if found else none,
        replaces=replaces,
        deleteBeforeReplace=compared.delete_before_replace and bool(replaces),
        diffs=sorted({str(one.path[0]) for one in found}),
        detailedDiff={
            render_path(one.path): provider_pb2.PropertyDiff(
                kind=_DIFFERENCE_KINDS[one.kind, one.replaces], inputDiff=compared.of_inputs
            )
            for one in found
        },
        hasDetailedDiff=True,
    )


def _initialization_details(error: InitializationError, message: str) -> tuple[tuple[str, bytes], ...]:
    """Trailing metadata in which the engine looks for the state of a resource that is not ready."""
    detail = provider_pb2.ErrorResourceInitFailed(
        id=error.resource_id,
        properties=error.properties.to_struct(),
        inputs=error.inputs.to_struct(),
        reasons=[message],
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=message)
    status.details.add().Pack(detail)
    return (("grpc-status-details-bin", status.SerializeToString()),)
