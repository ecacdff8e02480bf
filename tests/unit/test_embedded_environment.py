"""What `embedded run` sets: all that the same commands find on AWS, and the chart of last resort."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from embedded.aws_api.deployer import credentials_path, deployer_credentials
from embedded.environment import environment_for, merged
from embedded.errors import EmbeddedError
from embedded.identity import CloudIdentity
from embedded.setup import Toolchain

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    identity = CloudIdentity.of(CHECKOUT)
    account = identity.state_directory / "aws"
    account.mkdir(parents=True)
    key = {"access_key_id": "AKIATEST", "secret_access_key": "not-a-secret"}
    (account / "deployer.json").write_text(json.dumps(key))
    tool = tmp_path / "tool"
    tools = Toolchain(
        pulumi=tool,
        helm=tool,
        kubectl=tool,
        kubernetes=tool,
        coredns=tool,
        images={},
        postgres_directory=tmp_path,
        containerd=tool,
        runc=tool,
        cni_directory=tmp_path,
    )
    return environment_for(identity, tools)


def test_the_stand_in_chart_is_at_hand_and_says_that_it_is_one(variables: dict[str, str]) -> None:
    """Without it `make up` ends in its preflight wherever the official chart cannot be had."""
    chart = yaml.safe_load((Path(variables["AIRFLOW_CHART_STANDIN"]) / "Chart.yaml").read_text())
    assert chart["name"] == "airflow"
    assert "stand-in" in json.dumps(chart["annotations"])


def test_the_callers_account_and_stacks_are_out_of_reach(variables: dict[str, str]) -> None:
    mine = {"AWS_PROFILE": "company", "PULUMI_ACCESS_TOKEN": "t", "AWS_SESSION_TOKEN": "s", "EDITOR": "vi"}
    seen = merged(variables, mine)
    assert {"AWS_PROFILE", "PULUMI_ACCESS_TOKEN", "AWS_SESSION_TOKEN"} & seen.keys() == set()
    assert seen["EDITOR"] == "vi"
    assert seen["AWS_ACCESS_KEY_ID"] == "AKIATEST"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"access_key_id"', "\x00"])
def test_a_damaged_key_is_told_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    identity = CloudIdentity.of(CHECKOUT)
    path = credentials_path(identity)
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(EmbeddedError, match=r"deployer\.json cannot be read"):
        deployer_credentials(identity)
