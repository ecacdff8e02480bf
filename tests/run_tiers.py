"""Runs the tests tier by tier, cheapest first, and ends with what passed, failed and was not run.

    python tests/run_tiers.py [TIER ...]        all tiers without arguments

The last line reads `N passed, N failed` (and `, N skipped` where tests were skipped). A tier that this
machine cannot run is listed as NOT RUN with the reason; one that it can run and that fails makes the exit
code 1.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tier_result import Result, summary
from tiers import AFTER_SETUP, TIERS, cloud_reason
from tiers_beside import beside, write_report

# Its tests wait for half of their time, and those beside it compute: side by side they end sooner. Tests of
# what else runs on clouds compute as well; beside them all took longer than in turn.
WAITING = "clouds"
BESIDE_IT = ("chart",)


def run_all(names: Sequence[str]) -> list[Result]:
    """Run the named tiers, in order but for those that go beside the one that waits."""
    together = WAITING in names and cloud_reason() is None
    others = [name for name in names if together and name in BESIDE_IT]
    results: list[Result] = []
    for name in names:
        if name == WAITING and others:
            results += run_beside(others, name, results)
        elif name not in others:
            results.append(run_one(name, results))
    order = list(TIERS)
    return sorted(results, key=lambda result: order.index(result.tier))


def run_one(name: str, before: Sequence[Result]) -> Result:
    """Run a tier; one that needs a set-up that failed is not run."""
    print(f"\n== {name} ==", flush=True)
    start = time.monotonic()
    if name in AFTER_SETUP and any(result.nothing_installed for result in before):
        result = Result(name, not_run="the set-up failed")
    else:
        result = TIERS[name]()
    result.seconds = time.monotonic() - start
    return result


def run_beside(others: Sequence[str], name: str, before: Sequence[Result]) -> list[Result]:
    """Run a tier in the foreground, and others beside it."""
    if any(result.nothing_installed for result in before):
        return [run_one(each, before) for each in (*others, name)]
    with beside(others) as started:
        return [run_one(name, before), *started.results()]


def main() -> int:
    """Run the tiers of the command line, all by default."""
    parser = argparse.ArgumentParser(description="Run the tests tier by tier.")
    parser.add_argument("tiers", nargs="*", metavar="TIER", help=f"of: {', '.join(TIERS)}; all by default")
    # For a run that another one started: results go there, and the set-up was made.
    parser.add_argument("--report", type=Path, help=argparse.SUPPRESS)
    # An end from outside runs the same way out as Ctrl-C, which stops a cloud that was started here. What a
    # shell starts in the background ignores Ctrl-C, and so would every program of the tests.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    given = parser.parse_args()
    chosen: list[str] = given.tiers or list(TIERS)
    unknown = [name for name in chosen if name not in TIERS]
    if unknown:
        parser.error(f"unknown tier {', '.join(unknown)}; allowed: {', '.join(TIERS)}")
    if given.report is not None:
        write_report(given.report, run_all(chosen))
        return 0
    if "setup" not in chosen and any(name in AFTER_SETUP for name in chosen):
        chosen = ["setup", *chosen]
    results = run_all(chosen)
    print(summary(results), flush=True)
    return 1 if any(result.failed for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
