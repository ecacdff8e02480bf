"""Messages of the plugin in the engine's own display: status lines that come and go, and lines that stay."""

from functools import cached_property
from typing import Protocol

import grpc

from embedded.plugins.common.protocol import engine_pb2, engine_pb2_grpc


class Log(Protocol):
    """Where an operation tells what it is doing. All texts are for the person at the keyboard."""

    def status(self, urn: str, message: str) -> None:
        """What the resource is waiting for now; replaces the last status. Empty clears it."""

    def info(self, urn: str, message: str) -> None:
        """A line that stays in the output."""

    def warning(self, urn: str, message: str) -> None:
        """A line that stays and is counted among the warnings."""


class EngineLog:
    """Sends messages to the engine at the address that it gave the plugin. A lost message is no failure."""

    def __init__(self, address: str) -> None:
        self._address = address

    @cached_property
    def _engine(self) -> "engine_pb2_grpc.EngineStub":
        return engine_pb2_grpc.EngineStub(grpc.insecure_channel(self._address))

    def status(self, urn: str, message: str) -> None:
        """See `Log.status`."""
        self._send(engine_pb2.INFO, urn, message, ephemeral=True)

    def info(self, urn: str, message: str) -> None:
        """See `Log.info`."""
        self._send(engine_pb2.INFO, urn, message)

    def warning(self, urn: str, message: str) -> None:
        """See `Log.warning`."""
        self._send(engine_pb2.WARNING, urn, message)

    def _send(
        self, severity: "engine_pb2.LogSeverity.ValueType", urn: str, message: str, ephemeral: bool = False
    ) -> None:
        request = engine_pb2.LogRequest(severity=severity, urn=urn, message=message, ephemeral=ephemeral)
        try:
            self._engine.Log(request, timeout=5)
        except grpc.RpcError:
            return


class StatusLine:
    """The status of one resource, sent only when its text changes."""

    def __init__(self, log: Log, urn: str) -> None:
        self._log = log
        self._urn = urn
        self._last = ""

    def show(self, message: str) -> None:
        """Show the message in place of the one before."""
        if message != self._last:
            self._log.status(self._urn, message)
            self._last = message

    def warn(self, message: str) -> None:
        """A warning that stays."""
        self._log.warning(self._urn, message)
