"""What an image must have, against what the embedded image is made of and what the configuration names."""

from __future__ import annotations

import configparser
import json
from pathlib import Path
from typing import Any

import pytest

from infra import config, image_modules

CHECKOUT = Path(__file__).resolve().parents[2]
GIVEN = {"region": "eu-west-1", "accountId": "123456789012", "owner": "x", "cluster": {"name": "platform"}}
OIDC = {
    "host": "airflow.example.com",
    "oidc": {
        "issuer": "https://login.example.com/tenant",
        "clientId": "airflow",
        "clientSecretName": "oidc-client",
        "roles": {"platform": ["Admin"]},
    },
}


def modules(**extra: Any) -> set[str]:
    return set(image_modules.required_modules(config.parse({**GIVEN, **extra})))


def test_what_airflow_cfg_names_is_required() -> None:
    parser = configparser.RawConfigParser(delimiters=("=",))
    parser.read(CHECKOUT / "airflow_config" / "airflow.cfg", encoding="utf-8")
    named = {
        parser["secrets"]["backend"],
        parser["core"]["auth_manager"],
        parser["core"]["xcom_backend"],
    }
    for path in named:
        assert any(path.startswith(f"{module}.") for module in modules()), path
    assert parser["common.io"]["xcom_objectstorage_path"].startswith("s3://")
    assert "s3fs" in modules()


def test_the_image_of_this_checkout_adds_what_the_official_one_lacks() -> None:
    requirements = (CHECKOUT / "image" / "requirements.txt").read_text(encoding="utf-8")
    assert "s3fs" in {line.split("#")[0].strip() for line in requirements.splitlines()}


@pytest.mark.parametrize(
    ("extra", "module"),
    [
        ({"statsd": {"enabled": True}}, image_modules.STATSD),
        (
            {"dags": {"source": "gitBundle", "repository": "https://git.example/x", "reference": "v1"}},
            image_modules.GIT,
        ),
        ({"access": OIDC, "networkPolicies": {"enabled": False}}, image_modules.OIDC),
    ],
    ids=["statsd", "git bundle", "single sign-on"],
)
def test_a_part_that_is_switched_on_brings_its_module(extra: dict[str, Any], module: str) -> None:
    off = {"statsd": {"enabled": False}}
    assert module not in modules(**off)
    assert module in modules(**{**off, **json.loads(json.dumps(extra))})
