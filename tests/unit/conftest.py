"""Fixtures of more than one file of unit tests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from kubernetes_plugin_api_server import FakeApiServer, start

from infra.lifecycle import checkout

# The machine's load must not decide a test, and a failure must come again.
settings.register_profile("project", deadline=None, derandomize=True)
settings.load_profile("project")


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


@pytest.fixture
def two_projects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with the environment project, without stacks, and the cluster project with its stack."""
    (tmp_path / "Pulumi.yaml").write_bytes((checkout.ROOT / "Pulumi.yaml").read_bytes())
    (tmp_path / "cluster").mkdir()
    for name in ("Pulumi.yaml", "Pulumi.shared.yaml"):
        (tmp_path / "cluster" / name).write_bytes((checkout.ROOT / "cluster" / name).read_bytes())
    monkeypatch.setattr(checkout, "ROOT", tmp_path)
    return tmp_path
