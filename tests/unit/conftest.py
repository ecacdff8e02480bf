"""Fixtures of more than one file of unit tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kubernetes_plugin_api_server import FakeApiServer, start


@pytest.fixture
def server() -> Iterator[FakeApiServer]:
    fake = FakeApiServer()
    http = start(fake)
    yield fake
    http.shutdown()
    http.server_close()
