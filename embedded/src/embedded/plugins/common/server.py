"""The gRPC server of a plugin.

It differs from the SDK's own in what a user sees: an error is its text, never a traceback; a resource
that was created and then failed is reported as such; and a change of provider settings is reported with
the value that the protocol means (the SDK passes a boolean where an enumeration is expected).
"""

import asyncio
import os
import sys
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, cast

import grpc
from google.protobuf import struct_pb2
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.provider import DiffRequest, Provider
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime import proto
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

from embedded.plugins.common.errors import InitializationError, PluginError

TRACE_VARIABLE = "EMBEDDED_PLUGIN_TRACE"
"""Set to print the traceback of an unexpected error, for whoever works on a plugin."""

Handler = Callable[[Any, Any, Any], Awaitable[Any]]

_GUARDED = (
    "CheckConfig",
    "Configure",
    "Invoke",
    "Check",
    "Diff",
    "Create",
    "Read",
    "Update",
    "Delete",
)


def _struct(properties: Any) -> struct_pb2.Struct:
    return PropertyValue.marshal_map(dict(properties))


def _initialization_metadata(error: InitializationError) -> tuple[tuple[str, bytes], ...]:
    """Trailing metadata in which the engine looks for the state of a half-made resource."""
    detail = provider_pb2.ErrorResourceInitFailed(
        id=error.resource_id,
        properties=_struct(error.properties),
        inputs=_struct(error.inputs),
        reasons=[str(error)],
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error))
    status.details.add().Pack(detail)
    return (("grpc-status-details-bin", status.SerializeToString()),)


def _guarded(handler: Handler) -> Handler:
    async def call(self: Any, request: Any, context: Any) -> Any:
        try:
            return await handler(self, request, context)
        except InitializationError as error:
            metadata = _initialization_metadata(error)
            await context.abort(grpc.StatusCode.UNKNOWN, str(error), metadata)
        except PluginError as error:
            await context.abort(grpc.StatusCode.UNKNOWN, str(error))
        except NotImplementedError as error:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, the engine gets a sentence
            if os.environ.get(TRACE_VARIABLE):
                traceback.print_exc()
            text = f"unexpected {type(error).__name__} in the plugin: {error}"
            await context.abort(grpc.StatusCode.INTERNAL, f"{text} (set {TRACE_VARIABLE}=1 for where)")

    return call


class Servicer(ProviderServicer):
    """The SDK's servicer with the differences that this module's text lists."""

    async def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 - the protocol's
        """The difference between two settings of the provider."""
        answer = await self._provider.diff_config(
            DiffRequest(
                request.urn,
                request.id,
                PropertyValue.unmarshal_map(request.olds),
                PropertyValue.unmarshal_map(request.news),
                list(request.ignoreChanges),
            )
        )
        kinds = {
            None: proto.DiffResponse.DIFF_UNKNOWN,
            False: proto.DiffResponse.DIFF_NONE,
            True: proto.DiffResponse.DIFF_SOME,
        }
        return proto.DiffResponse(changes=kinds[answer.changes], replaces=answer.replaces, diffs=answer.diffs)


for _name in _GUARDED:
    setattr(Servicer, _name, _guarded(cast(Handler, getattr(ProviderServicer, _name))))


def serve(provider: Provider, version: str, arguments: list[str]) -> None:
    """Serve the provider until the engine ends the process.

    `arguments` are the command line's: the engine's address is the first that is not an option. The port
    goes to standard output as the first line, as the engine expects of a plugin.
    """
    engine_address = next((item for item in arguments if not item.startswith("-")), "")

    async def run() -> None:
        server = grpc.aio.server(options=_GRPC_CHANNEL_OPTIONS)
        servicer = Servicer(arguments, version, provider, engine_address=engine_address)
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        await server.wait_for_termination()

    try:
        asyncio.run(run())
    except KeyboardInterrupt:
        return
