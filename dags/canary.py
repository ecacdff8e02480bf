"""The canary: two tasks in two pods, with an XCom between them.

`airflow-env canary STACK` starts it with a nonce in the run's configuration and looks for the marker lines in
the logs. Each marker carries the nonce, so that a log of an earlier run can never pass for this one's, and
the name of the pod that wrote it. The second task repeats what the first handed over, which shows that the
XCom arrived.
"""

from __future__ import annotations

import logging
import socket
import time
from datetime import timedelta
from typing import Any

from airflow.sdk import dag, get_current_context, task

log = logging.getLogger(__name__)


def _configuration() -> dict[str, Any]:
    return dict(get_current_context()["dag_run"].conf or {})


def _nonce() -> str:
    """The run's nonce; a run started by hand in the UI has none."""
    return str(_configuration().get("nonce", "none"))


@dag(
    dag_id="canary",
    schedule=None,
    catchup=False,
    # A deployment proves itself without anybody switching the DAG on.
    is_paused_upon_creation=False,
    dagrun_timeout=timedelta(minutes=15),
    tags=["canary"],
    doc_md=__doc__,
)
def canary() -> None:
    """Write in one pod, read in another."""

    # No retries: the canary is there to show what fails, not to get past it.
    @task(retries=0)
    def write() -> str:
        pod = socket.gethostname()
        log.info("canary-marker task=write nonce=%s pod=%s", _nonce(), pod)
        # A run that lasts shows that tasks outlive what is done to the environment meanwhile.
        time.sleep(float(_configuration().get("hold_seconds", 0)))
        return f"{_nonce()}@{pod}"

    @task(retries=0)
    def read(received: str) -> None:
        log.info(
            "canary-marker task=read nonce=%s pod=%s received=%s", _nonce(), socket.gethostname(), received
        )

    read(write())


canary()
