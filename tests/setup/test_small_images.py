"""The images beside Airflow's, taken out of their archives and run as the users that the chart gives them."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import signal
import socket
import subprocess
import tarfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from embedded.errors import EmbeddedError
from embedded.images import versions
from embedded.setup import Toolchain, toolchain

pytestmark = pytest.mark.setup

#: Chart keys pgbouncer.uid, dags.gitSync.uid and statsd.uid of chart 1.21.0.
CHART_USERS = {
    versions.PGBOUNCER_REFERENCE: 65_534,
    versions.PGBOUNCER_EXPORTER_REFERENCE: 65_534,
    versions.GIT_SYNC_REFERENCE: 65_533,
    versions.STATSD_EXPORTER_REFERENCE: 65_534,
}
PASSWORD = "made-up"
#: The devices are seen by this process alone, and the mount ends with it.
ENTER = 'mount --rbind /dev "$2/dev" && exec chroot --userspec="$1" "$2" "${@:3}"'


@pytest.fixture(scope="module")
def tools() -> Toolchain:
    if os.geteuid() != 0:
        pytest.skip("chroot needs root")
    try:
        return toolchain()
    except EmbeddedError as error:
        pytest.skip(f"setup has not been run: {error.message}")


@dataclass(frozen=True)
class Image:
    """An image with its layers laid over one another in `root`."""

    root: Path
    config: dict[str, Any]

    @property
    def user(self) -> int:
        return int(self.config["User"].partition(":")[0])

    def popen(self, *command: str, **environment: str) -> subprocess.Popen[str]:
        """A program inside, found on the image's own PATH."""
        user = f"{self.user}:{self.user}"
        own = dict(variable.split("=", 1) for variable in self.config["Env"])
        return subprocess.Popen(
            ["unshare", "--mount", "bash", "-ec", ENTER, "bash", user, str(self.root), *command],
            env={**own, "PATH": f"{own['PATH']}:/usr/sbin:/usr/bin", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *command: str, **environment: str) -> str:
        process = self.popen(*command, **environment)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
        return output


def unpacked(archive: Path, target: Path) -> Image:
    with tarfile.open(archive) as outer:

        def document(name: str) -> Any:
            member = outer.extractfile(name)
            assert member
            return json.load(member)

        (image,) = document("manifest.json")
        for layer in image["Layers"]:
            with tarfile.open(fileobj=outer.extractfile(layer)) as inner:
                inner.extractall(target, filter="fully_trusted")  # noqa: S202 -- our own
        # Others than root enter it, as they do in a container.
        target.chmod(0o755)
        (target / "dev").mkdir(exist_ok=True)
        return Image(target, document(image["Config"])["config"])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that every user can enter."""
    directory = tmp_path_factory.mktemp("images")
    for parent in (directory, *directory.parents):
        if parent.stat().st_mode & 0o005 != 0o005:
            parent.chmod(parent.stat().st_mode | 0o005)
    return directory


@pytest.fixture(scope="module")
def pgbouncer_image(tools: Toolchain, place: Path) -> Image:
    return unpacked(tools.images[versions.PGBOUNCER_REFERENCE], place / "pgbouncer")


@pytest.fixture(scope="module")
def exporter_image(tools: Toolchain, place: Path) -> Image:
    return unpacked(tools.images[versions.PGBOUNCER_EXPORTER_REFERENCE], place / "exporter")


@pytest.fixture(scope="module")
def git_sync_image(tools: Toolchain, place: Path) -> Image:
    return unpacked(tools.images[versions.GIT_SYNC_REFERENCE], place / "git-sync")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), 5):
        return True


def page(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 -- our own
        return str(answer.read().decode())


def wait_for(condition: Callable[[], Any], seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        try:
            if found := condition():
                return found
        except (OSError, psycopg.Error) as error:
            last: object = error
        else:
            last = "not yet"
        assert time.monotonic() < deadline, last
        time.sleep(0.05)


@contextlib.contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def database(tools: Toolchain, place: Path) -> Iterator[int]:
    """A Postgres server with the role `airflow`; its port."""
    account, data, port = pwd.getpwnam("postgres"), place / "data", free_port()
    data.mkdir(mode=0o700)
    os.chown(data, account.pw_uid, account.pw_gid)
    as_postgres = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    programs = tools.postgres_directory
    initialize = [str(programs / "initdb"), f"--pgdata={data}", "--auth=trust", "--no-sync"]
    subprocess.run([*as_postgres, *initialize], check=True, capture_output=True, cwd="/")
    settings = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    server = subprocess.Popen(
        [*as_postgres, str(programs / "postgres"), "-D", str(data), *options],
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        address = f"host=127.0.0.1 port={port} user=postgres dbname=postgres"
        with wait_for(lambda: psycopg.connect(address, autocommit=True)) as connection:
            connection.execute("CREATE ROLE airflow LOGIN")
        yield port
    finally:
        server.send_signal(signal.SIGQUIT)
        server.wait(30)


@pytest.fixture(scope="module")
def pooled(pgbouncer_image: Image, database: int) -> Iterator[int]:
    """PgBouncer with the chart's own configuration (template pgbouncer_config) and command; its port."""
    port = free_port()
    configuration = f"""
[databases]
airflow-metadata = host=127.0.0.1 dbname=postgres port={database} pool_size=2

[pgbouncer]
pool_mode = transaction
listen_port = {port}
listen_addr = *
auth_type = scram-sha-256
auth_file = /etc/pgbouncer/users.txt
stats_users = airflow
ignore_startup_parameters = extra_float_digits
max_client_conn = 100
verbose = 0
log_disconnections = 0
log_connections = 0

server_tls_sslmode = prefer
server_tls_ciphers = normal
"""
    directory = pgbouncer_image.root / "etc/pgbouncer"
    (directory / "pgbouncer.ini").write_text(configuration)
    (directory / "users.txt").write_text(f'"airflow" "{PASSWORD}"\n')
    with ended(pgbouncer_image.popen("pgbouncer", "-u", "nobody", "/etc/pgbouncer/pgbouncer.ini")) as process:
        wait_for(lambda: listens(port))
        assert process.poll() is None
        yield port


def test_pools_share_few_connections_of_the_database(pooled: int) -> None:
    address = f"host=127.0.0.1 port={pooled} user=airflow password={PASSWORD} dbname=airflow-metadata"
    servers = set()
    with contextlib.ExitStack() as clients:
        for _ in range(5):
            client = clients.enter_context(psycopg.connect(address, autocommit=True, prepare_threshold=None))
            row = client.execute("SELECT pg_backend_pid()").fetchone()
            servers.add(row[0] if row else None)
    assert 1 <= len(servers) <= 2, "five clients, and a pool of two"


def exporter_url(port: int) -> str:
    return f"postgresql://airflow:{PASSWORD}@127.0.0.1:{port}/pgbouncer?sslmode=disable"


def test_the_exporter_says_what_pgbouncer_says(exporter_image: Image, pooled: int) -> None:
    port = free_port()
    arguments = exporter_image.config["Entrypoint"] + exporter_image.config["Cmd"]
    variables = {"DATABASE_URL": exporter_url(pooled), "WEB_LISTEN_ADDRESS": f"127.0.0.1:{port}"}
    with ended(exporter_image.popen(*arguments, **variables)):
        metrics = wait_for(lambda: page(f"http://127.0.0.1:{port}/metrics"))
    size = 'pgbouncer_exporter_database_pool_size{name="airflow-metadata",pool_mode=""} 2'
    assert size in metrics.splitlines()
    assert "pgbouncer_exporter_pools_waiting_clients{" in metrics
    assert "pgbouncer_exporter_stats_total_xact_count{" in metrics
    assert PASSWORD not in metrics


def test_the_exporters_probe_fails_without_pgbouncer(exporter_image: Image, pooled: int) -> None:
    exporter_image.run("pgbouncer_exporter", "health", DATABASE_URL=exporter_url(pooled))
    process = exporter_image.popen("pgbouncer_exporter", "health", DATABASE_URL=exporter_url(free_port()))
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1, output
    assert PASSWORD not in output


def test_the_charts_hook_before_the_end_has_its_programs(pgbouncer_image: Image) -> None:
    pgbouncer_image.run("/bin/sh", "-c", "command -v killall && command -v sleep")


def test_git_sync_follows_a_repository_in_its_image(git_sync_image: Image) -> None:
    remote = git_sync_image.root / "tmp" / "remote"
    git = ["git", "-C", str(remote), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    remote.mkdir()
    (remote / "dag.py").write_text("dag")
    for arguments in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *arguments], check=True, capture_output=True)
    (entrypoint,) = git_sync_image.config["Entrypoint"]
    said = git_sync_image.run(
        entrypoint,
        GITSYNC_REPO="file:///tmp/remote",
        GITSYNC_REF="main",
        GITSYNC_LINK="repo",
        GITSYNC_ONE_TIME="true",
        GITSYNC_ADD_USER="true",
    )
    assert "stand-in" in said
    assert (git_sync_image.root / "git/repo").is_symlink()
    assert git_sync_image.run("cat", "/git/repo/dag.py") == "dag"


def test_the_image_has_what_git_over_ssh_and_https_needs(git_sync_image: Image) -> None:
    git_sync_image.run(
        "sh", "-c", "command -v ssh && git --exec-path && test -s /etc/ssl/certs/ca-certificates.crt"
    )


def test_each_image_runs_as_the_charts_user_by_number(tools: Toolchain) -> None:
    found = {}
    for reference in CHART_USERS:
        with tarfile.open(tools.images[reference]) as archive:
            manifest = archive.extractfile("manifest.json")
            assert manifest
            member = archive.extractfile(json.load(manifest)[0]["Config"])
            assert member
            found[reference] = int(json.load(member)["config"]["User"].partition(":")[0])
    assert found == CHART_USERS, "a name instead of a number fails runAsNonRoot"


def test_airflow_can_send_metrics(tools: Toolchain) -> None:
    with tarfile.open(tools.images[versions.AIRFLOW_REFERENCE]) as archive:
        manifest = archive.extractfile("manifest.json")
        assert manifest
        top = archive.extractfile(json.load(manifest)[0]["Layers"][-1])
        with tarfile.open(fileobj=top) as layer:
            assert any(name.endswith("site-packages/statsd/__init__.py") for name in layer.getnames())
