"""Single sign-on needs a Secret that the user makes; without it no pod of the API server starts."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from infra.lifecycle import preflight_sign_on
from infra.lifecycle.cluster_access import ClusterAccess
from infra.lifecycle.report import Row
from infra.settings_access import OidcSettings

OIDC = OidcSettings.model_validate(
    {
        "issuer": "https://login.example.com",
        "clientId": "airflow",
        "clientSecretName": "oidc",
        "roles": {"admins": ("Admin",)},
    }
)
TEXT = base64.b64encode(b"planted").decode()


def judge(
    monkeypatch: pytest.MonkeyPatch, secrets: list[dict[str, Any]], namespaces: list[str], oidc: Any = OIDC
) -> Row:
    def answer(_access: ClusterAccess, _get: str, kind: str, _option: str, selector: str) -> dict[str, Any]:
        wanted = selector.removeprefix("metadata.name=")
        there: dict[str, list[dict[str, Any]]] = {
            "secrets": secrets,
            "namespaces": [{"metadata": {"name": name}} for name in namespaces],
        }
        return {"items": [item for item in there[kind] if item["metadata"]["name"] == wanted]}

    monkeypatch.setattr(ClusterAccess, "json", answer)
    return preflight_sign_on.row(ClusterAccess(Path("kubeconfig"), "airflow-team-a"), oidc)


def secret(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": data}


def test_a_secret_with_the_text_is_right_and_its_text_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    row = judge(monkeypatch, [secret("oidc", **{"client-secret": TEXT})], ["airflow-team-a"])
    assert row.outcome.value == "passed"
    assert TEXT not in row.detail
    assert "planted" not in row.detail


@pytest.mark.parametrize(
    "secrets", [[], [secret("other", **{"client-secret": TEXT})], [secret("oidc", secret=TEXT)]]
)
def test_a_living_environment_without_it_is_red(
    monkeypatch: pytest.MonkeyPatch, secrets: list[dict[str, Any]]
) -> None:
    row = judge(monkeypatch, secrets, ["airflow-team-a"])
    assert row.outcome.value == "failed"
    assert "create secret generic oidc --from-file=client-secret=FILE" in row.next_step


def test_before_the_first_deployment_it_is_only_told(monkeypatch: pytest.MonkeyPatch) -> None:
    row = judge(monkeypatch, [], [])
    assert row.outcome.value == "not judged"
    assert "create secret generic oidc" in row.next_step


def test_passwords_need_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert judge(monkeypatch, [], [], oidc=None).outcome.value == "not applicable"
