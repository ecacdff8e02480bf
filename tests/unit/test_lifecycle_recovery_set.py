"""The recovery set is found in an account that others use too."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.lifecycle import recovery_set

MADE = datetime(2026, 1, 2, tzinfo=UTC)


class Kms:
    """An account with a key of ours, one of AWS, and one whose policy names somebody else."""

    def get_paginator(self, _: str) -> Kms:
        return self

    def paginate(self) -> list[dict[str, Any]]:
        return [{"Keys": [{"KeyId": name} for name in ("theirs", "ours", "aws")]}]

    def describe_key(self, KeyId: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        if KeyId == "theirs":
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DescribeKey")
        manager = "AWS" if KeyId == "aws" else "CUSTOMER"
        return {"KeyMetadata": {"KeyManager": manager, "KeyState": "Enabled", "CreationDate": MADE}}

    def list_resource_tags(self, KeyId: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        assert KeyId == "ours", "AWS answers with an error for its own keys"
        return {"Tags": [{"TagKey": "recovery-set", "TagValue": "d1"}]}


def test_a_key_that_may_not_be_seen_is_told_and_hides_no_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(recovery_set.boto3, "client", lambda *_, **__: Kms())
    monkeypatch.setattr(recovery_set, "_secrets", lambda *_: ([], []))
    monkeypatch.setattr(recovery_set, "_snapshots", lambda *_: [])
    found = recovery_set.find("eu-west-1", "d1")
    assert [item.name for item in found.kept] == ["ours"]
    assert found.unseen == ("theirs",)
    recovery_set.print_text("staging", found)
    assert "1 keys that these credentials may not look at: theirs" in capsys.readouterr().out
