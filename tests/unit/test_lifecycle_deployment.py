"""`up` and `down` around a recorded `pulumi`: what is called, in what order, and what is not called."""

from __future__ import annotations

import json
import os
import shlex
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.lifecycle import checkout, cli, deployment, process_table, recovery_set
from infra.lifecycle.errors import LifecycleError
from infra.lifecycle.pulumi_project import progress_line
from infra.lifecycle.report import Row

# Keeps the calls with their directory, and answers by the first words of a call. A shell, because the tests
# call it hundreds of times; parts and calls end with control characters, which no argument has.
FAKE_PULUMI = """#!/bin/sh
here=${{PWD##*/}}
printf '%s\\037' "$here" "$@" "\036" >> {calls}
if [ -n "$AIRFLOW_ENV_RETIRE" ]; then echo "$1" >> {calls}-retired; fi
end() {{  # a signal, by its negative number, leaves a plugin at work
    if [ "$1" -ge 0 ]; then exit "$1"; fi
    sleep 600 > /dev/null 2>&1 &
    echo $! > {calls}-plugin
    kill "$1" $$
}}
case "$here $*" in
{answers}
esac
"""

STACK_FILE = """config:
  airflow:region: eu-west-1
  airflow:accountId: "123456789012"
  airflow:owner: platform
  airflow:cluster: {stack: organization/airflow-cluster/shared}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with both projects, in a directory `root`."""
    root = tmp_path / "root"
    (root / "cluster").mkdir(parents=True)
    (root / "Pulumi.yaml").write_text("name: airflow\nruntime: python\n")
    (root / "cluster" / "Pulumi.yaml").write_text("name: airflow-cluster\nruntime: python\n")
    (root / "Pulumi.staging.yaml").write_text(STACK_FILE)
    monkeypatch.setattr(checkout, "ROOT", root)
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}/backend")
    monkeypatch.setattr(deployment, "chart_sentence", lambda: "Chart: a chart.")
    return root


def _pulumi(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: dict[str, dict[str, tuple[int, str]]]
) -> None:
    directory = tmp_path / "bin"
    directory.mkdir()
    answers = [
        f"{shlex.quote(f'{place} {words}')}*) printf '%s\\n' {shlex.quote(text)}; end {code} ;;"
        for place, here in table.items()
        for words, (code, text) in here.items()
    ]
    program = directory / "pulumi"
    calls = shlex.quote(str(tmp_path / "calls"))
    program.write_text(FAKE_PULUMI.format(calls=calls, answers="\n".join(answers)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:/usr/bin:/bin")


def _calls(tmp_path: Path) -> list[list[str]]:
    path = tmp_path / "calls"
    calls = path.read_text().split("\036\037")[:-1] if path.exists() else []
    return [call.split("\037")[:-1] for call in calls]


def _changes(tmp_path: Path) -> list[str]:
    """Calls that change something, as "directory verb stack"."""
    found = []
    for directory, *arguments in _calls(tmp_path):
        if arguments[0] in ("up", "destroy"):
            found.append(f"{directory} {arguments[0]} {arguments[arguments.index('--stack') + 1]}")
        elif arguments[:2] == ["stack", "rm"]:
            found.append(f"{directory} rm {arguments[-1]}")
    return found


def _listing(*names: str) -> tuple[int, str]:
    return 0, json.dumps([{"name": name} for name in names])


def _exported(protect: bool) -> tuple[int, str]:
    urn = "urn:pulumi:staging::airflow::aws:rds/instance:Instance::database"
    return 0, json.dumps({"deployment": {"resources": [{"urn": urn, "protect": protect}]}})


@pytest.mark.usefixtures("project")
def test_a_protected_stack_is_refused_before_any_deletion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = {"stack ls": _listing("staging"), "stack export": _exported(True)}
    _pulumi(tmp_path, monkeypatch, {"root": table})
    with pytest.raises(LifecycleError) as error:
        deployment.down("staging")
    assert "aws:rds/instance:Instance::database" in error.value.message
    assert "`airflow-env up staging`, then `airflow-env down staging`" in error.value.next_step
    assert "airflow-env down staging --retire" in error.value.next_step
    assert _changes(tmp_path) == []


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("every", [False, True], ids=["down", "down --all"])
def test_a_stack_that_a_run_was_cut_off_on_is_not_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: bool
) -> None:
    """The engine would delete what its state has; what the run was making would stay for ever."""
    urn = "urn:pulumi:staging::airflow::aws:rds/instance:Instance::database"
    begun = {"type": "creating", "resource": {"urn": urn, "type": "aws:rds/instance:Instance"}}
    exported = 0, json.dumps({"deployment": {"resources": [], "pending_operations": [begun]}})
    table = {"stack ls": _listing("staging"), "stack export": exported}
    _pulumi(tmp_path, monkeypatch, {"root": table, "cluster": {"stack ls": _listing("shared")}})
    with pytest.raises(
        LifecycleError, match=r"cut off while it made database\. Nothing was touched"
    ) as error:
        deployment.down_all() if every else deployment.down("staging")
    assert "airflow-env recover staging" in error.value.next_step
    assert _changes(tmp_path) == []


@pytest.mark.usefixtures("project")
def test_a_cluster_that_a_run_was_cut_off_on_stops_down_all_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    urn = "urn:pulumi:shared::airflow-cluster::aws:ec2/vpc:Vpc::network"
    begun = {"type": "creating", "resource": {"urn": urn, "type": "aws:ec2/vpc:Vpc"}}
    cut_off = 0, json.dumps({"deployment": {"resources": [], "pending_operations": [begun]}})
    table = {"stack ls": _listing("staging"), "stack export": _exported(False)}
    cluster = {"stack ls": _listing("shared"), "stack export": cut_off}
    _pulumi(tmp_path, monkeypatch, {"root": table, "cluster": cluster})
    with pytest.raises(LifecycleError, match=r"cluster shared is not deleted: .* made network") as error:
        deployment.down_all()
    # The environment's own command, which looks at the cluster's stack first.
    assert "airflow-env recover staging" in error.value.next_step
    assert _changes(tmp_path) == []


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("process", "advice"),
    [(2**22 + 1, "airflow-env recover staging"), (os.getpid(), "wait for it")],
    # Each of the processes that share the tests has another number, and must collect the same names.
    ids=["of a dead process", "of a living process"],
)
def test_a_locked_stack_is_not_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, process: int, advice: str
) -> None:
    table = {"stack ls": _listing("staging"), "stack export": _exported(False)}
    _pulumi(tmp_path, monkeypatch, {"root": table})
    locks = tmp_path / "backend/.pulumi/locks/organization/airflow/staging"
    locks.mkdir(parents=True)
    held = {"pid": process, "username": "me", "hostname": socket.gethostname()}
    taken = datetime.now(UTC).isoformat()
    (locks / "one.json").write_text(json.dumps({**held, "timestamp": taken}))
    with pytest.raises(LifecycleError, match="staging is not deleted: state lock held by") as error:
        deployment.down("staging")
    assert advice in error.value.next_step
    assert _changes(tmp_path) == []


@pytest.mark.usefixtures("project")
def test_down_removes_the_stack_and_keeps_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = {"stack ls": _listing("staging"), "stack export": _exported(False)}
    _pulumi(tmp_path, monkeypatch, {"root": table})
    deployment.down("staging")
    assert _changes(tmp_path) == ["root destroy staging", "root rm staging"]
    [removal] = [call for call in _calls(tmp_path) if call[1:3] == ["stack", "rm"]]
    # Without it the CLI deletes the stack's file in the checkout.
    assert "--preserve-config" in removal


def test_a_stack_file_that_was_deleted_does_not_come_back(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To destroy a stack without a file, the CLI writes one."""
    file = project / "Pulumi.staging.yaml"
    table = {"stack ls": _listing("staging"), "stack export": _exported(False)}
    _pulumi(tmp_path, monkeypatch, {"root": table})
    really = deployment.PulumiProject.destroy

    def destroy(*arguments: Any) -> None:
        file.write_text("encryptionsalt: v1:abc")
        really(*arguments)

    monkeypatch.setattr(deployment.PulumiProject, "destroy", destroy)
    file.unlink()
    deployment.down("staging")
    assert not file.exists()


@pytest.mark.parametrize("failure", ["file", "AWS"])
def test_what_can_not_be_listed_after_the_deletion_is_no_failure(
    tmp_path: Path,
    project: Path,
    failure: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    urn = "urn:pulumi:staging::airflow::aws:kms/key:Key::encryption"
    exported = 0, json.dumps({"deployment": {"resources": [{"urn": urn, "retainOnDelete": True}]}})
    _pulumi(tmp_path, monkeypatch, {"root": {"stack ls": _listing("staging"), "stack export": exported}})
    if failure == "file":
        (project / "Pulumi.staging.yaml").unlink()
    else:
        refused = ClientError({"Error": {"Code": "ExpiredToken", "Message": "no"}}, "ListKeys")

        def find(*_: object) -> None:
            raise refused

        monkeypatch.setattr(deployment.recovery_set, "find", find)
    deployment.down("staging")
    assert _changes(tmp_path) == ["root destroy staging", "root rm staging"]
    said = capsys.readouterr().out
    assert "staging is deleted" in said
    assert "airflow-env recovery-set staging" in said


@pytest.mark.usefixtures("project")
def test_a_failed_destroy_keeps_the_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = {
        "stack ls": _listing("staging"),
        "stack export": _exported(False),
        "destroy": (255, "error: no"),
    }
    _pulumi(tmp_path, monkeypatch, {"root": table})
    with pytest.raises(LifecycleError, match="pulumi destroy --stack staging"):
        deployment.down("staging")
    assert _changes(tmp_path) == ["root destroy staging"]


@pytest.mark.usefixtures("project")
def test_of_an_engine_that_was_killed_no_diagnostics_are_promised_and_no_plugin_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when memory runs out: the next run of the same command would only meet its lock."""
    table = {"stack ls": _listing("staging"), "stack export": _exported(False), "destroy": (-9, "deleting")}
    _pulumi(tmp_path, monkeypatch, {"root": table})
    with pytest.raises(
        LifecycleError, match=r"pulumi destroy --stack staging` was killed \(SIGKILL\)"
    ) as error:
        deployment.down("staging")
    assert "airflow-env recover" in error.value.next_step
    assert _changes(tmp_path) == ["root destroy staging"]
    assert process_table.is_gone(int((tmp_path / "calls-plugin").read_text()))


@pytest.mark.usefixtures("project")
def test_down_all_ends_environments_before_clusters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = {"stack ls": _listing("one", "two"), "stack export": _exported(False)}
    cluster = {"stack ls": _listing("shared"), "stack export": _exported(False)}
    _pulumi(tmp_path, monkeypatch, {"root": table, "cluster": cluster})
    deployment.down_all()
    assert _changes(tmp_path) == [
        "root destroy one",
        "root rm one",
        "root destroy two",
        "root rm two",
        "cluster destroy shared",
        "cluster rm shared",
    ]


KEY = "arn:aws:kms:eu-west-1:123456789012:key/11112222-3333"
GOES = datetime(2027, 3, 4, 5, 6, tzinfo=UTC)


class Kms:
    """KMS once the environments are gone: every key waits, or nothing is told of it."""

    def __init__(self, tells: bool) -> None:
        self.tells = tells

    def describe_key(self, KeyId: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        if not self.tells:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DescribeKey")
        return {"KeyMetadata": {"KeyId": KeyId, "KeyState": "PendingDeletion", "DeletionDate": GOES}}


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("every", [False, True], ids=["down", "down --all"])
@pytest.mark.parametrize(("tells", "told"), [(True, "until 2027-03-04 05:06"), (False, "AccessDenied")])
def test_the_key_that_waits_for_its_deletion_is_told_with_its_date(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    every: bool,
    tells: bool,
    told: str,
) -> None:
    key = {"urn": "urn:pulumi:a::b::aws:kms/key:Key::key", "type": "aws:kms/key:Key", "outputs": {"arn": KEY}}
    exported = 0, json.dumps({"deployment": {"resources": [key]}})
    table = {"stack ls": _listing("staging"), "stack export": exported}
    cluster = {"stack ls": _listing(), "stack export": _exported(False)}
    _pulumi(tmp_path, monkeypatch, {"root": table, "cluster": cluster})
    monkeypatch.setattr(recovery_set.boto3, "client", lambda *_, **__: Kms(tells))
    deployment.down_all() if every else deployment.down("staging")
    said = " ".join(capsys.readouterr().out.split())
    assert "KMS key 11112222-3333 waits for its deletion" in said
    assert told in said


@pytest.mark.usefixtures("project")
def test_one_protected_stack_stops_down_all_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = {
        "stack ls": _listing("one", "two"),
        "stack export --stack one": _exported(False),
        "stack export --stack two": _exported(True),
    }
    _pulumi(tmp_path, monkeypatch, {"root": table, "cluster": {"stack ls": _listing("shared")}})
    with pytest.raises(LifecycleError, match="two is persistent"):
        deployment.down_all()
    assert _changes(tmp_path) == []


@pytest.mark.usefixtures("project")
def test_retire_lifts_the_protection_in_a_run_of_its_own_and_leaves_the_file(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = {"stack ls": _listing("staging"), "stack export": _exported(True)}
    _pulumi(tmp_path, monkeypatch, {"root": table})
    deployment.down("staging", retire=True)
    assert _changes(tmp_path) == ["root up staging", "root destroy staging", "root rm staging"]
    # The variable reaches that one run alone.
    assert (tmp_path / "calls-retired").read_text().splitlines() == ["up"]
    assert (project / "Pulumi.staging.yaml").read_text() == STACK_FILE


@pytest.mark.usefixtures("project")
def test_a_failed_check_touches_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _pulumi(tmp_path, monkeypatch, {})
    rows = [Row.judged("clock", False, "an hour off", "Set it."), Row.judged("helm", True, "v3")]
    monkeypatch.setattr(deployment.doctor, "examine", lambda stack, chart: rows)
    with pytest.raises(LifecycleError, match=r"1 of 2 checks failed: clock\. Nothing was touched") as error:
        deployment.up("staging")
    # Whoever sees the end of a log alone has the command, too.
    assert error.value.next_step.startswith("Set it.")
    assert _calls(tmp_path) == []


OUTPUTS: dict[str, Any] = {
    "namespace": "airflow-staging",
    "releaseName": "airflow",
    "airflowUrl": "http://airflow-api-server:8080",
    "apiServerService": "airflow-api-server",
    "logsBucket": "logs",
    "secretsPrefix": "airflow/environment",
    "metadataDatabaseEndpoint": "db:5432",
    "clusterName": "shared",
    "region": "eu-west-1",
    "adminSecretName": "airflow-administrator",
    "chartVersion": "1.21.0",
    "airflowVersion": "3.2.2",
}


def _up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cluster: dict[str, tuple[int, str]]) -> list[str]:
    table = {"stack ls": _listing("staging"), "stack output": (0, json.dumps(OUTPUTS))}
    _pulumi(tmp_path, monkeypatch, {"root": table, "cluster": cluster})
    monkeypatch.setattr(deployment.doctor, "examine", lambda stack, chart: [])
    monkeypatch.setattr(deployment.parameter_secrets, "settle", lambda *_: None)
    monkeypatch.setattr(deployment.trailing_logs, "settle", lambda *_: None)
    monkeypatch.setattr(deployment, "run_canary", lambda exports, say: [Row.judged("run", True, "ok")])
    deployment.up("staging")
    return _changes(tmp_path)


@pytest.mark.usefixtures("project")
def test_a_missing_cluster_is_made_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = _up(tmp_path, monkeypatch, {"stack ls": _listing()})
    assert changes == ["cluster up shared", "root up staging"]


@pytest.mark.usefixtures("project")
def test_a_cluster_that_is_there_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"stack ls": _listing("shared"), "stack output": (0, json.dumps({"clusterName": "shared"}))}
    assert _up(tmp_path, monkeypatch, there) == ["root up staging"]


@pytest.mark.usefixtures("project")
def test_a_failed_canary_fails_the_deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = {"stack ls": _listing("staging"), "stack output": (0, json.dumps(OUTPUTS))}
    there = {"stack ls": _listing("shared"), "stack output": (0, json.dumps({"clusterName": "shared"}))}
    _pulumi(tmp_path, monkeypatch, {"root": table, "cluster": there})
    monkeypatch.setattr(deployment.doctor, "examine", lambda stack, chart: [])
    monkeypatch.setattr(deployment.parameter_secrets, "settle", lambda *_: None)
    monkeypatch.setattr(deployment.trailing_logs, "settle", lambda *_: None)
    red = [Row.judged("log of read in S3", False, "there is no object")]
    monkeypatch.setattr(deployment, "run_canary", lambda exports, say: red)
    with pytest.raises(LifecycleError, match="the canary failed: log of read in S3"):
        deployment.up("staging")


SINGLE_SIGN_ON = """  airflow:access:
    host: airflow.example.com
    oidc:
      issuer: https://login.example.com
      clientId: airflow
      clientSecretName: oidc
      roles: {admins: [Admin]}
  airflow:networkPolicies: {clientNetworks: [10.0.0.0/8]}
"""


@pytest.mark.parametrize("sso", [False, True], ids=["a password", "single sign-on"])
def test_the_end_of_up_names_the_login_that_there_is(
    tmp_path: Path,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    sso: bool,
) -> None:
    outputs = OUTPUTS | ({"adminSecretName": ""} if sso else {})
    table = {"stack ls": _listing("staging"), "stack output": (0, json.dumps(outputs))}
    _pulumi(tmp_path, monkeypatch, {"root": table})
    if sso:
        (project / "Pulumi.staging.yaml").write_text(STACK_FILE + SINGLE_SIGN_ON)
    deployment.print_access("staging")
    said = capsys.readouterr().out
    assert ("airflow-env password staging" in said) is not sso
    assert ("User:     admin" in said) is not sso
    assert ("https://login.example.com; there is no password" in said) is sso


@pytest.mark.parametrize(
    "arguments",
    [["up", "stagging"], ["down"], ["canary", "staging"], ["logs", "staging", "webserver"]],
)
@pytest.mark.usefixtures("project")
def test_a_mistake_on_the_command_line_is_two_sentences(
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    _pulumi(tmp_path, monkeypatch, {"root": {"stack ls": _listing()}, "cluster": {}})
    monkeypatch.setattr(sys, "argv", ["airflow-env", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capfd.readouterr().err
    assert ended.value.code == 1
    assert said.startswith("airflow-env: ")
    assert "\nNext step: " in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("@ updating....", None),
        ("", None),
        (
            " +  aws:s3:Bucket logs creating (0s) ",
            "    1.5 s   +  aws:s3:Bucket logs creating (0s)",
        ),
        ("    error: it broke", "    1.5 s      error: it broke"),
        ("If you want to remove the stack completely, run `pulumi stack rm one`.", None),
    ],
)
def test_progress_keeps_what_says_something(line: str, shown: str | None) -> None:
    assert progress_line(line, 1.5) == shown
