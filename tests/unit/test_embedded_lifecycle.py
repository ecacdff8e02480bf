"""A state that is deleted goes at once: whatever interrupts it leaves none that passes for a cloud."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from embedded.identity import CloudIdentity

from embedded import lifecycle

CHECKOUT = Path(__file__).resolve().parents[2]


def test_an_interrupted_reset_leaves_no_half_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a state would start: new certificates, and an account that tells of the ones before."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    identity = CloudIdentity.of(CHECKOUT)
    for part in ("aws", "certificates", "node"):
        (identity.state_directory / part).mkdir(parents=True)
    monkeypatch.setattr(lifecycle.containers, "unmount_below", lambda _directory: None)
    really = lifecycle.run

    def interrupted(command: Sequence[str], **options: Any) -> None:
        if Path(command[-1]).exists():
            raise KeyboardInterrupt
        really(command, **options)

    monkeypatch.setattr(lifecycle, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        lifecycle._discard_state(identity)
    assert not identity.state_directory.exists()
    monkeypatch.setattr(lifecycle, "run", really)
    lifecycle._discard_state(identity)
    assert list(identity.state_directory.parent.iterdir()) == []
