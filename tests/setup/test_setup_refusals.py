"""A registry that says no is told in one sentence; the oracle is what the real clients print about one."""

from __future__ import annotations

import http.server
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from embedded.setup.refusals import explain

pytestmark = pytest.mark.setup


class Refusing(http.server.BaseHTTPRequestHandler):
    """Lists one wheel below /simple/ and refuses all else, the wheel itself included."""

    def do_GET(self) -> None:
        name = "no_such_thing-1.0-py3-none-any.whl"
        listed = self.path.startswith("/simple/")
        page = f'<a href="/files/{name}#sha256={"0" * 64}">{name}</a>'.encode() if listed else b""
        self.send_response(200 if listed else 403)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    do_HEAD = do_GET  # noqa: N815 -- the name that the server calls

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def printed(command: list[str], folder: Path, **variables: str) -> list[str]:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIP_", "UV_", "GO")) and not name.lower().endswith("_proxy")
    }
    environment |= {"HOME": str(folder), "UV_NO_CONFIG": "1", "PIP_CONFIG_FILE": os.devnull, **variables}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    return (done.stdout + done.stderr).splitlines()


def check_sentence(lines: list[str], package: str) -> None:
    refusal = explain(lines)
    assert refusal is not None, lines
    assert "403" in refusal.message
    assert package in refusal.message
    assert "\n" not in refusal.message
    assert "make setup" in refusal.next_step


@pytest.mark.skipif(not shutil.which("go"), reason="Go is not installed")
def test_go_module(registry: str, tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module m\n\ngo 1.21\n\nrequire example.com/some/tool v1.2.3\n")
    lines = printed(
        ["go", "mod", "download", "example.com/some/tool@v1.2.3"],
        tmp_path,
        GOPROXY=registry,
        GOMODCACHE=str(tmp_path / "modules"),
        GOFLAGS="-modcacherw",
        GOTOOLCHAIN="local",
        GONOSUMDB="*",
    )
    check_sentence(lines, "example.com/some/tool@v1.2.3")


def uv_install(index: str, folder: Path) -> list[str]:
    target = ["--target", str(folder / "target"), "--python", sys.executable]
    return printed(["uv", "pip", "install", *target, "--index-url", index, "no-such-thing==1.0"], folder)


@pytest.mark.skipif(not shutil.which("uv"), reason="uv is not installed")
def test_uv_package_that_is_listed_and_refused(registry: str, tmp_path: Path) -> None:
    check_sentence(uv_install(f"{registry}/simple/", tmp_path), "no_such_thing-1.0")


@pytest.mark.skipif(not shutil.which("uv"), reason="uv is not installed")
def test_uv_package_that_is_not_listed(registry: str, tmp_path: Path) -> None:
    refusal = explain(uv_install(f"{registry}/other/", tmp_path))
    assert refusal
    assert "no-such-thing" in refusal.message


def pip_download(index: str, folder: Path) -> list[str]:
    pip = [sys.executable, "-m", "pip", "download", "--no-cache-dir", "--retries", "0"]
    return printed([*pip, "--index-url", index, "no-such-thing==1.0"], folder)


def test_pip_package_that_is_listed_and_refused(registry: str, tmp_path: Path) -> None:
    check_sentence(pip_download(f"{registry}/simple/", tmp_path), "no_such_thing-1.0")


def test_pip_package_that_is_not_listed(registry: str, tmp_path: Path) -> None:
    refusal = explain(pip_download(f"{registry}/other/", tmp_path))
    assert refusal
    assert "no-such-thing==1.0" in refusal.message


def test_debian_package() -> None:
    lines = [
        "Err:1 http://archive.example/debian bookworm/main amd64 runc amd64 1.1.5",
        "  403  Forbidden [IP: 192.0.2.1 80]",
        "E: Failed to fetch http://archive.example/debian/pool/runc_1.1.5_amd64.deb  403  Forbidden",
    ]
    check_sentence(lines, "runc_1.1.5_amd64.deb")


@pytest.mark.parametrize(
    "line",
    [
        "./main.go:403:12: undefined: Forbidden",
        "no space left on device",
        "E: Unable to locate package runc",
        "internal compiler error: exit status 403",
    ],
)
def test_other_failures_are_not_taken_for_refusals(line: str) -> None:
    assert explain([line]) is None
