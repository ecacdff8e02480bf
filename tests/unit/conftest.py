"""Fixtures of more than one file of unit tests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from kubernetes_plugin_api_server import FakeApiServer, start


@pytest.fixture(scope="session", autouse=True)
def event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """The one loop of this process's Outputs: the SDK makes one where there is none, and nobody closes it."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield loop
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture
def server() -> Iterator[FakeApiServer]:
    fake = FakeApiServer()
    http = start(fake)
    yield fake
    http.shutdown()
    http.server_close()
