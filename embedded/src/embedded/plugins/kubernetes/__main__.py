"""`python -m embedded.plugins.kubernetes ENGINE_ADDRESS`: the plugin as the engine starts it."""

import asyncio
import os
import sys
import threading
from importlib.metadata import version

import grpc.aio
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import provider_pb2_grpc

from embedded.plugins.kubernetes.cluster import Cluster
from embedded.plugins.kubernetes.engine_log import EngineLog
from embedded.plugins.kubernetes.operations import Operations
from embedded.plugins.kubernetes.servicer import Servicer

_PARENT_CHECK_SECONDS = 2.0


def _releases(cluster: Cluster) -> Operations:
    from embedded.plugins.kubernetes.helm.provider import ReleaseOperations

    return ReleaseOperations(cluster)


def _end_with_engine(servicer: Servicer, stopped: threading.Event) -> None:
    """Stop when the engine is gone: nobody would take an answer, and no helm may stay behind at work."""
    engine = os.getppid()
    while os.getppid() == engine:
        if stopped.wait(_PARENT_CHECK_SECONDS):
            return
    servicer.stop()
    os._exit(1)


async def _serve(engine_address: str) -> None:
    server = grpc.aio.server(options=_GRPC_CHANNEL_OPTIONS)
    servicer = Servicer(
        sys.argv[1:], version("pulumi-kubernetes"), engine_address, EngineLog(engine_address), _releases
    )
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


def main() -> int:
    """Serve until the engine ends the process. The engine's address is the first plain argument."""
    addresses = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    if not addresses:
        print("this is a plugin of the Pulumi engine, which starts it with its address", file=sys.stderr)
        return 1
    try:
        asyncio.run(_serve(addresses[0]))
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
