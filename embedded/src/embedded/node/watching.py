"""Lists of the cluster's objects, and word that something in them changed.

Watches only tell that something changed; what there is, is listed. So a watch that breaks loses nothing, and
a burst of changes is one new list.
"""

from __future__ import annotations

import argparse
import http.client
import json
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedded.certificates import CertificateFiles
from embedded.errors import NotReady
from embedded.identity import CloudIdentity
from embedded.node.kubernetes_api import Answer, ask, client_context

_WATCH_SECONDS = 300
_PAUSE_SECONDS = 1.0

_log = logging.getLogger("embedded.watching")


def begin(module: str) -> CloudIdentity:
    """Begin a process that follows the cluster: `python -m MODULE --checkout PATH`; return whose it is.

    Its threads wait for the API server, and what it holds is elsewhere: the default end of a process is an
    orderly one.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}")
    parser.add_argument("--checkout", type=Path, required=True)
    identity = CloudIdentity.of(parser.parse_args().checkout)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stdout)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return identity


@dataclass(frozen=True)
class ClusterObjects:
    """The API server, as a part's own user."""

    identity: CloudIdentity
    client: CertificateFiles

    def items(self, path: str) -> list[Any]:
        """The objects of a list.

        Raises:
            NotReady: the server does not answer, or refuses.
        """
        answer = self.send("GET", path)
        if answer.status != http.HTTPStatus.OK:
            raise NotReady(f"{path}: {answer.status} {answer.body[:200].decode(errors='replace')}")
        return list(json.loads(answer.body)["items"])

    def send(
        self, method: str, path: str, content: Any = None, content_type: str = "application/json"
    ) -> Answer:
        """One request.

        Raises:
            NotReady: the server does not answer.
        """
        return ask(
            self.identity, self.identity.kubernetes_port, path, self.client, method, content, content_type
        )

    def follow(self, paths: Iterable[str], changed: Callable[[], None]) -> None:
        """Call `changed`, from other threads, for everything that is told of these lists, until the end."""
        for path in paths:
            threading.Thread(target=self._watch, args=(path, changed), daemon=True).start()

    def _watch(self, path: str, changed: Callable[[], None]) -> None:
        while True:
            try:
                self._wait_for_changes(path, changed)
            except (OSError, http.client.HTTPException) as error:
                _log.warning("watch of %s: %s", path, error)
                time.sleep(_PAUSE_SECONDS)
            changed()

    def _wait_for_changes(self, path: str, changed: Callable[[], None]) -> None:
        """Until the server ends the watch."""
        connection = http.client.HTTPSConnection(
            self.identity.node_address,
            self.identity.kubernetes_port,
            timeout=_WATCH_SECONDS + 30,
            context=client_context(self.identity, self.client),
        )
        try:
            separator = "&" if "?" in path else "?"
            connection.request("GET", f"{path}{separator}watch=true&timeoutSeconds={_WATCH_SECONDS}")
            for _ in connection.getresponse():
                changed()
        finally:
            connection.close()
