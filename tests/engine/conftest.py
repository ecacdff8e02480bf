"""A moto server on the loopback address and the real Pulumi engine with the cloud's own plugins.

Every test gets an account of its own (moto keeps accounts apart by access key id through STS roles, yet the
simplest separation is an empty server): the server is emptied before each test.
"""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import httpx
import pytest
from aws_api_server import Account, running_account
from engine_world import REGION, Cloud, Project, engine_environment, tool_directories
from pulumi import automation

START_SECONDS = 60
# In this order: whoever is left with one of them at the end works alone.
LONGEST_FILES = ("test_deployer_life.py", "test_lifecycle_recover.py", "test_aws_plugin_types.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files begin first; the order within a file stays."""
    ranks = {name: rank for rank, name in enumerate(LONGEST_FILES)}
    items.sort(key=lambda item: ranks.get(item.path.name, len(ranks)))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(autouse=True)
def _own_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 keeps the session, and so the credentials, of whoever asked first in this process."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


@pytest.fixture(scope="session")
def moto_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a moto server of this test process."""
    url = f"http://127.0.0.1:{_free_port()}"
    log = (tmp_path_factory.mktemp("moto") / "moto.log").open("w")
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", url.rsplit(":", 1)[1]]
    server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                httpx.get(f"{url}/moto-api/")
                break
            except httpx.HTTPError:
                if time.monotonic() > deadline or server.poll() is not None:
                    raise
                time.sleep(0.1)
        yield url
    finally:
        server.terminate()
        server.wait(10)
        log.close()


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """The cloud's own AWS API in a process of its own; tests share it and keep to names of their own."""
    with running_account(tmp_path_factory.mktemp("aws")) as account:
        yield account


@pytest.fixture
def cloud(moto_url: str) -> Cloud:
    """An empty account."""
    httpx.post(f"{moto_url}/moto-api/reset").raise_for_status()
    environment = {
        "AWS_ENDPOINT_URL": moto_url,
        "AWS_ACCESS_KEY_ID": "deployer",
        "AWS_SECRET_ACCESS_KEY": "deployer",
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return Cloud(moto_url, environment)


@pytest.fixture
def new_project(tmp_path: Path, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Project]:
    """Make a project from a program's text."""
    if not tool_directories():
        pytest.skip("no Pulumi engine here: run `make setup`")
    directory = tmp_path / "project"
    directory.mkdir()
    environment = {**cloud.environment, **engine_environment(tmp_path)}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def make(program: str) -> Project:
        (directory / "Pulumi.yaml").write_text("name: probe\nruntime: python\n")
        (directory / "__main__.py").write_text(program)
        stack = automation.create_or_select_stack(
            "test", work_dir=str(directory), opts=automation.LocalWorkspaceOptions(env_vars=environment)
        )
        stack.set_config("aws:region", automation.ConfigValue(REGION))
        return Project(directory, stack, environment)

    return make
