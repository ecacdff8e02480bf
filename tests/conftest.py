"""Shared by all tiers: files that programs read."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

# Marker of tests that need more than Python -> directory whose tests alone are read for its tier.
TIER_DIRECTORIES = {
    "setup": "setup",
    "engine": "engine",
    "chart": "chart",
    "control_plane": "cluster",
    "cluster": "cluster",
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test of a tier in another directory would be run by none."""
    for item in items:
        for marker in TIER_DIRECTORIES.keys() & {mark.name for mark in item.iter_markers()}:
            if item.path.parent.name != TIER_DIRECTORIES[marker]:
                raise pytest.UsageError(
                    f"{item.nodeid} is marked `{marker}`; move it to tests/{TIER_DIRECTORIES[marker]}/"
                )


def pytest_collection_finish() -> None:
    """What was imported lives until the end: to search it for garbage was a fifth of the graph tier."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


@pytest.fixture(scope="session")
def ca_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that looks like the bundle of RDS's certificate authorities."""
    path = tmp_path_factory.mktemp("ca") / "bundle.pem"
    path.write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", encoding="utf-8")
    return path
