"""The process of a plugin, as the engine starts it and as it ends with it."""

import asyncio
import os
import sys
import threading
from collections.abc import Sequence
from typing import Final

import grpc.aio

from embedded.plugins.common.engine_log import EngineLog
from embedded.plugins.common.operations import Plugin
from embedded.plugins.common.protocol import CHANNEL_OPTIONS, provider_pb2_grpc
from embedded.plugins.common.servicer import Servicer

_PARENT_CHECK_SECONDS: Final = 2.0


def serve(plugin: Plugin, version: str, arguments: Sequence[str]) -> int:
    """Serve the plugin until the engine ends the process; the exit code.

    `arguments` are the command line's: the engine's address is the first that is not an option. The port
    goes to standard output as the first line, as the engine expects of a plugin.
    """
    addresses = [argument for argument in arguments if not argument.startswith("-")]
    if not addresses:
        print("this is a plugin of the Pulumi engine, which starts it with its address", file=sys.stderr)
        return 1
    try:
        asyncio.run(_serve(Servicer(plugin, version, EngineLog(addresses[0]))))
    except KeyboardInterrupt:
        return 0
    return 0


async def _serve(servicer: Servicer) -> None:
    server = grpc.aio.server(options=CHANNEL_OPTIONS)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    stopped = threading.Event()
    threading.Thread(target=_end_with_engine, args=(servicer, stopped), daemon=True).start()
    try:
        await server.wait_for_termination()
    finally:
        stopped.set()


def _end_with_engine(servicer: Servicer, stopped: threading.Event) -> None:
    """Stop when the engine is gone: nobody would take an answer, and no helper may stay behind at work."""
    engine = os.getppid()
    while os.getppid() == engine:
        if stopped.wait(_PARENT_CHECK_SECONDS):
            return
    servicer.stop()
    os._exit(1)
