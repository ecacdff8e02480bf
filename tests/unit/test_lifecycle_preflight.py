"""Preflight of tools and state, from answers as the tools gave them: each red row says what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from infra.lifecycle import preflight_backend, preflight_tools
from infra.lifecycle.report import Outcome

WANTED = {"aws": "7.51.1", "kubernetes": "4.34.2"}


def _listed(**versions: str) -> list[dict[str, Any]]:
    """As `pulumi plugin ls --json` of 3.255.0 answers."""
    times = {
        "size": 80,
        "installTime": "2026-01-22T19:21:27.853Z",
        "lastUsedTime": "2026-01-22T19:21:29.063Z",
    }
    return [{"name": name, "kind": "resource", "version": said, **times} for name, said in versions.items()]


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("aws-cli/1.46.3 Python/3.11.7 Linux/6.18.44 botocore/1.43.62", "passed"),
        ("aws-cli/1.27.160 Python/3.8.0 Linux/5.4.0 botocore/1.29.160", "passed"),
        ("aws-cli/1.27.159 Python/3.8.0 Linux/5.4.0 botocore/1.29.159", "failed"),
        ("aws-cli/2.12.3 Python/3.11.4 Linux/5.15.0 exe/x86_64.debian.12 prompt/off", "passed"),
        ("aws-cli/2.9.23 Python/3.9.11 Linux/5.15.0 exe/x86_64.ubuntu.22 prompt/off", "failed"),
        ("aws-cli/3.0.0 Python/3.13.1 Linux/6.1.0 exe/x86_64.debian.13", "passed"),
        ("aws: something else of that name", "failed"),
    ],
)
def test_the_aws_cli_must_know_what_kubectl_asks_of_it(said: str, outcome: str) -> None:
    row = preflight_tools.aws_cli_row(said)
    assert row.outcome.value == outcome
    assert bool(row.next_step) == (outcome == "failed")


def test_plugins_of_the_sdks_versions_pass() -> None:
    listed = [*_listed(aws="6.0.0"), *_listed(**WANTED)]
    assert preflight_tools.plugins_row(listed, WANTED, downloads=False).outcome is Outcome.PASSED


def test_a_plugin_of_another_version_is_missing_where_nothing_is_downloaded() -> None:
    listed = _listed(aws="7.50.0", kubernetes="4.34.2")
    row = preflight_tools.plugins_row(listed, WANTED, downloads=False)
    assert row.outcome is Outcome.FAILED
    assert "aws 7.51.1" in row.detail
    assert "aws 7.50.0" in row.detail
    assert row.next_step == "Run `pulumi plugin install resource aws 7.51.1`."


def test_the_engine_may_download_what_is_missing() -> None:
    row = preflight_tools.plugins_row([], WANTED, downloads=True)
    assert row.outcome is Outcome.PASSED
    assert "download aws 7.51.1, kubernetes 4.34.2" in row.detail


def test_a_plugin_of_another_kind_is_none() -> None:
    listed = [{**item, "kind": "language"} for item in _listed(**WANTED)]
    assert preflight_tools.plugins_row(listed, WANTED, downloads=False).outcome is Outcome.FAILED


def test_a_directory_is_written_and_left_as_it_was(tmp_path: Path) -> None:
    assert preflight_backend.write_row(f"file://{tmp_path}").outcome is Outcome.PASSED
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_directory_that_is_not_there_is_red(tmp_path: Path) -> None:
    row = preflight_backend.write_row(f"file://{tmp_path / 'elsewhere'}")
    assert row.outcome is Outcome.FAILED
    assert "PULUMI_BACKEND_URL" in row.next_step


class _Bucket:
    """An S3 client that refuses one operation."""

    def __init__(self, refused: str = "", error: Exception | None = None) -> None:
        self._refused, self._error = refused, error
        self.objects: set[str] = set()

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803 - as boto3
        self._may("PutObject")
        self.objects.add(f"{Bucket}/{Key}")

    def delete_object(self, *, Bucket: str, Key: str) -> None:  # noqa: N803 - as boto3
        self._may("DeleteObject")
        self.objects.remove(f"{Bucket}/{Key}")

    def _may(self, operation: str) -> None:
        if self._error is not None:
            raise self._error
        if operation == self._refused:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, operation)


@pytest.mark.parametrize("url", ["s3://state", "s3://state/team?region=eu-west-1"])
def test_a_bucket_is_written_and_left_as_it_was(url: str) -> None:
    bucket = _Bucket()
    assert preflight_backend.write_row(url, bucket).outcome is Outcome.PASSED
    assert bucket.objects == set()


@pytest.mark.parametrize("operation", ["PutObject", "DeleteObject"])
def test_a_bucket_that_refuses_names_the_right_that_is_missing(operation: str) -> None:
    row = preflight_backend.write_row("s3://state/team", _Bucket(operation))
    assert row.outcome is Outcome.FAILED
    assert "AccessDenied" in row.detail
    assert "s3://state/team/.pulumi/" in row.detail
    assert f"s3:{operation}" in row.next_step


def test_a_bucket_that_does_not_answer_is_a_row() -> None:
    unreachable = _Bucket(error=EndpointConnectionError(endpoint_url="https://s3.example"))
    assert preflight_backend.write_row("s3://state", unreachable).outcome is Outcome.FAILED


def test_other_backends_are_not_judged() -> None:
    assert preflight_backend.write_row("https://api.pulumi.com").outcome is Outcome.NOT_APPLICABLE


S3 = "s3://state?region=eu-west-1"


@pytest.mark.parametrize(
    ("backend", "providers", "passphrase", "outcome"),
    [
        (S3, {"Pulumi.one.yaml": "awskms://alias/state"}, False, Outcome.PASSED),
        (
            S3,
            {"Pulumi.one.yaml": "awskms://alias/state", "cluster/Pulumi.x.yaml": None},
            False,
            Outcome.FAILED,
        ),
        (S3, {"Pulumi.one.yaml": None}, True, Outcome.PASSED),
        (S3, {}, False, Outcome.PASSED),
        ("https://api.pulumi.com", {"Pulumi.one.yaml": None}, False, Outcome.PASSED),
    ],
)
def test_a_new_stack_needs_something_that_encrypts_its_secrets(
    backend: str, providers: dict[str, str | None], passphrase: bool, outcome: Outcome
) -> None:
    row = preflight_backend.secrets_row(backend, providers, passphrase)
    assert row.outcome is outcome
    if outcome is Outcome.FAILED:
        assert "cluster/Pulumi.x.yaml" in row.detail
        assert "Pulumi.one.yaml" not in row.detail
