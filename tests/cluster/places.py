"""Where a secret of an environment might show: each place as one text."""

from __future__ import annotations

import base64
import gzip
import json
import os
import threading
import urllib.parse
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from environment_access import bucket_keys
from witness import Environment, run, succeed

# A program that lives shorter may be missed.
LOOK_SECONDS = 0.2


def manifests(environment: Environment) -> dict[str, str]:
    """Kind -> all texts of its objects in the environment's namespace, for every kind that can be listed."""
    kinds = succeed("kubectl", "api-resources", "--namespaced", "--verbs", "list", "--output", "name").split()
    texts = defaultdict(list)
    for item in json.loads(environment.kubectl("get", ",".join(kinds), "--output", "json"))["items"]:
        texts[item["kind"]] += _texts(item)
    return {kind: "\n".join(found) for kind, found in texts.items()}


def _texts(value: Any) -> Iterator[str]:
    """Keys and values of a document, without the escapes of a format."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    else:
        yield str(value)


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


def bucket(environment: Environment) -> str:
    """What the environment's bucket holds: logs of tasks, and large XComs."""
    s3, name = boto3.client("s3"), environment.outputs["logsBucket"]
    bodies = [s3.get_object(Bucket=name, Key=key)["Body"].read() for key in bucket_keys(name)]
    assert bodies
    return "\n".join(body.decode(errors="replace") for body in bodies)


def process_list() -> set[str]:
    """Arguments of each process of this machine, those of the pods too."""
    texts = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            texts.add(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return texts


@contextmanager
def processes_meanwhile() -> Iterator[set[str]]:
    """Yield a set that grows by the arguments of every process that is seen until the end."""
    seen: set[str] = set()
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(LOOK_SECONDS):
            seen.update(process_list())

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield seen
    finally:
        ended.set()
        looking.join()
