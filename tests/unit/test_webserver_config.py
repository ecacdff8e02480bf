"""Single sign-on as the API server reads it: the file is run as Flask runs it, on a class of ours."""

from __future__ import annotations

import json
import runpy
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from infra import chart_features
from infra.settings import AccessSettings

FILE = Path(__file__).resolve().parents[2] / "airflow_config" / "webserver_config.py"
MODULE = "airflow.providers.fab.auth_manager.security_manager.override"
ACCESS = AccessSettings.model_validate_json(
    json.dumps(
        {
            "host": "airflow.example.com",
            "oidc": {
                "issuer": "https://login.example.com/tenant",
                "clientId": "airflow",
                "clientSecretName": "oidc-client",
                "rolesClaim": "groups",
                "roles": {"platform": ["Admin"], "analysts": ["User", "Viewer"]},
            },
        }
    )
)


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The file's names, with the variables that the chart's values give the pod."""
    parts = MODULE.split(".")
    for end in range(1, len(parts) + 1):
        monkeypatch.setitem(sys.modules, ".".join(parts[:end]), types.ModuleType(parts[end - 1]))
    sys.modules[MODULE].FabAirflowSecurityManagerOverride = object  # type: ignore[attr-defined]
    for variable in chart_features.access_values(ACCESS)["apiServer"]["env"]:
        monkeypatch.setenv(variable["name"], variable.get("value", "the-secret"))
    return runpy.run_path(str(FILE))


def test_the_provider_is_found_by_its_issuer(config: dict[str, Any]) -> None:
    (provider,) = config["OAUTH_PROVIDERS"]
    app = provider["remote_app"]
    assert app["server_metadata_url"] == "https://login.example.com/tenant/.well-known/openid-configuration"
    assert (app["client_id"], app["client_secret"]) == ("airflow", "the-secret")
    assert "openid" in app["client_kwargs"]["scope"]


def test_roles_come_from_groups_at_every_login_and_a_stranger_sees_nothing(config: dict[str, Any]) -> None:
    assert config["AUTH_ROLES_MAPPING"] == {"platform": ["Admin"], "analysts": ["User", "Viewer"]}
    assert config["AUTH_ROLES_SYNC_AT_LOGIN"] is True
    assert config["AUTH_USER_REGISTRATION_ROLE"] == "Public"


@pytest.mark.parametrize(
    ("groups", "keys"), [(["platform", "x"], ["platform", "x"]), ("platform", ["platform"]), (None, [])]
)
def test_a_person_is_known_by_the_subject(config: dict[str, Any], groups: Any, keys: list[str]) -> None:
    manager = config["SECURITY_MANAGER_CLASS"]()
    claims = {"sub": "42", "email": "a@example.com", "given_name": "A", "family_name": "B", "groups": groups}
    person = manager.get_oauth_user_info("oidc", {"userinfo": claims})
    assert person == {
        "username": "42",
        "email": "a@example.com",
        "first_name": "A",
        "last_name": "B",
        "role_keys": keys,
    }


def test_the_clients_secret_stands_nowhere_in_the_values() -> None:
    values = chart_features.access_values(ACCESS)["apiServer"]
    (secret,) = [item for item in values["env"] if item["name"] == chart_features.OIDC_SECRET_VARIABLE]
    assert secret["valueFrom"] == {"secretKeyRef": {"name": "oidc-client", "key": "client-secret"}}
    # Helm runs the file as a template.
    assert "{{" not in values["apiServerConfig"]
