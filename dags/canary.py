"""The canary: two tasks in two pods, with an XCom between them.

`airflow-env canary STACK` starts it with a nonce in the run's configuration and looks for the marker lines in
the logs. Each marker carries the nonce, so that a log of an earlier run can never pass for this one's, and
the name of the pod that wrote it. The second task repeats what the first handed over, which shows that the
XCom arrived.
"""

from __future__ import annotations

import logging
import socket
from datetime import timedelta

from airflow.sdk import dag, get_current_context, task

log = logging.getLogger(__name__)


def _nonce() -> str:
    """The run's nonce; a run started by hand in the UI has none."""
    return str((get_current_context()["dag_run"].conf or {}).get("nonce", "none"))


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
        return f"{_nonce()}@{pod}"

    @task(retries=0)
    def read(received: str) -> None:
        log.info(
            "canary-marker task=read nonce=%s pod=%s received=%s", _nonce(), socket.gethostname(), received
        )

    read(write())


canary()
