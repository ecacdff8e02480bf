"""Where a secret of an environment might show: each place as one text."""

from __future__ import annotations

import base64
import gzip
import json
import os
import urllib.parse
from pathlib import Path

from witness import Environment, run


def helm_release(environment: Environment) -> str:
    """Values and manifests of the release as helm keeps them: JSON, gzipped, in base64, in a Secret."""
    secrets = environment.kubectl("get", "secrets", "--selector", "owner=helm", "--output", "json")
    texts = []
    for item in json.loads(secrets)["items"]:
        packed = base64.b64decode(base64.b64decode(item["data"]["release"]))
        texts.append(gzip.decompress(packed).decode())
    assert texts
    return "\n".join(texts)


def state_files() -> str:
    """What the state backend keeps on disk, histories and backups too, with what it compresses."""
    directory = Path(urllib.parse.urlsplit(os.environ["PULUMI_BACKEND_URL"]).path)
    texts = []
    for path in directory.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            packed = data.startswith(b"\x1f\x8b")
            texts.append((gzip.decompress(data) if packed else data).decode(errors="replace"))
    assert texts
    return "\n".join(texts)


def logs(environment: Environment) -> str:
    pods = environment.kubectl("get", "pods", "--output", "name").split()
    return "\n".join(
        run("kubectl", "-n", environment.namespace, "logs", pod, "--all-containers", "--tail", "-1").stdout
        for pod in pods
    )


def process_list() -> str:
    """Arguments of all processes of this machine, those of the pods too."""
    texts = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            texts.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(texts)
