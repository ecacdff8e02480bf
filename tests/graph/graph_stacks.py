"""The stack files whose graphs are recorded, read without the SDKs.

conftest.py is read by the process that only hands out tests, and the SDKs take seconds to import.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
STACKS = sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml"))
CLUSTER_STACKS = sorted(path.name.split(".")[1] for path in (ROOT / "cluster").glob("Pulumi.*.yaml"))


def stack_configuration(path: Path) -> dict[str, Any]:
    """The configuration of a stack file as it is written."""
    return dict(yaml.safe_load(path.read_text(encoding="utf-8"))["config"])
