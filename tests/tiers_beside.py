"""Tiers beside another one: clouds start, wait and end, and meanwhile the machine has time for other tests.

They run in a process of their own, with less of the processors where both want them. What it prints follows
in one piece when it ends, so that no line of one tier stands among another's.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from tier_result import Result
from tiers import ROOT, end

RUNNER = ROOT / "tests" / "run_tiers.py"
# Of nice(1): what runs in the foreground is waited for longest.
NICENESS = 5


class Beside:
    """A run of tiers that was started and not waited for."""

    def __init__(self, names: Sequence[str], place: Path, runner: Path = RUNNER) -> None:
        self._names, self._report, self._log = list(names), place / "results.json", place / "output.txt"
        command = ["nice", "-n", str(NICENESS), sys.executable, str(runner)]
        command += ["--report", str(self._report), *names]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        print(f"\n{', '.join(names)}: beside what follows; output at their end, or: tail -f {self._log}")
        self._printer = threading.Thread(target=self._print, daemon=True)
        self._printer.start()

    def _print(self) -> None:
        self._process.wait()
        text = self._log.read_text(encoding="utf-8", errors="replace")
        print(f"\n{text.rstrip()}\n(end of {', '.join(self._names)})\n", flush=True)

    def results(self) -> list[Result]:
        """Wait for its end; a tier that it says nothing of has failed."""
        if self._process.poll() is None:
            print(f"waiting for {', '.join(self._names)}: tail -f {self._log}", flush=True)
        self._printer.join()
        found = json.loads(self._report.read_text(encoding="utf-8")) if self._report.is_file() else []
        results = [Result(**entry) for entry in found]
        told = {result.tier for result in results}
        return results + [Result(name, failed=1) for name in self._names if name not in told]

    def end(self) -> None:
        """End what still runs, in order."""
        end(self._process)
        self._printer.join()


@contextmanager
def beside(names: Sequence[str]) -> Iterator[Beside]:
    """Tiers that run until they end, or until what they run beside was broken off."""
    with tempfile.TemporaryDirectory(prefix="tiers-") as place:
        started = Beside(names, Path(place))
        try:
            yield started
        finally:
            started.end()


def write_report(path: Path, results: Sequence[Result]) -> None:
    """Leave results where the run that started this one looks for them; whole, or not at all."""
    half = path.with_suffix(".half")
    half.write_text(json.dumps([asdict(result) for result in results]), encoding="utf-8")
    half.replace(path)
