"""The SDK's generated classes of the engine's protocol, without the rest of the SDK.

Importing anything of `pulumi` runs the package itself, which brings the automation API and OpenTelemetry
along: most of a second of CPU at each start of a plugin, of which a run starts several. The generated modules
need protobuf and gRPC alone, and name each other relatively, so a package of another name can hold them.
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

CHANNEL_OPTIONS: Final = (
    ("grpc.max_receive_message_length", 400 * 1024 * 1024),
    ("grpc.server_max_unrequested_time_in_server", 30 * 60),
)
"""Limits of the SDK's own channels: bytes of a message, seconds a request may queue.
Source: pulumi sdk/python/lib/pulumi/runtime/_grpc_settings.py."""

_PACKAGE: Final = "embedded_pulumi_protocol"


def _generated(module: str) -> Any:
    """One of the modules in the SDK's directory `runtime/proto`."""
    if _PACKAGE not in sys.modules:
        # A look-up of a top-level package finds it without running it.
        spec = find_spec("pulumi")
        if spec is None or not spec.submodule_search_locations:
            raise ImportError("the Pulumi SDK is not installed in this environment")
        package = ModuleType(_PACKAGE)
        package.__path__ = [str(Path(spec.submodule_search_locations[0]) / "runtime" / "proto")]
        sys.modules[_PACKAGE] = package
    return import_module(f"{_PACKAGE}.{module}")


if TYPE_CHECKING:
    from pulumi.runtime.proto import (
        engine_pb2,
        engine_pb2_grpc,
        plugin_pb2,
        provider_pb2,
        provider_pb2_grpc,
        status_pb2,
    )
else:
    engine_pb2 = _generated("engine_pb2")
    engine_pb2_grpc = _generated("engine_pb2_grpc")
    plugin_pb2 = _generated("plugin_pb2")
    provider_pb2 = _generated("provider_pb2")
    provider_pb2_grpc = _generated("provider_pb2_grpc")
    status_pb2 = _generated("status_pb2")

__all__ = [
    "CHANNEL_OPTIONS",
    "engine_pb2",
    "engine_pb2_grpc",
    "plugin_pb2",
    "provider_pb2",
    "provider_pb2_grpc",
    "status_pb2",
]
