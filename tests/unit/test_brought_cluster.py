"""A cloud on a cluster that the user brings: addresses, what pods get, what is registered, who may pass."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from embedded.admission.mutation import PodContext, mutated, patch
from embedded.aws_api.pod_identity import CredentialsRefusedError
from embedded.aws_api.token_review import TokenRefusedError
from embedded.brought_cluster import registration, settings
from embedded.brought_cluster.api_proxy import _bearer_token, _forwarded
from embedded.brought_cluster.settings import BroughtCluster
from embedded.brought_cluster.web_identity import WebIdentity
from embedded.errors import EmbeddedError
from embedded.identity import CloudIdentity
from embedded.plugins.kubernetes.credentials import Credential
from embedded.rds import jobs

ADDRESS = "192.0.2.7"
ROLE = "arn:aws:iam::123456789012:role/worker"


@pytest.fixture
def identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CloudIdentity:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "checkout").mkdir()
    made = CloudIdentity.of(tmp_path / "checkout")
    settings.save(made.state_directory, BroughtCluster(ADDRESS))
    return CloudIdentity.of(tmp_path / "checkout")


def test_every_process_finds_the_address_that_up_was_given(identity: CloudIdentity) -> None:
    assert identity.host_address == identity.database_address(5) == ADDRESS
    assert identity.aws_endpoint_url.startswith(f"https://{ADDRESS}:")
    assert identity.kubernetes_endpoint.startswith(f"https://{ADDRESS}:")


def test_no_port_needs_root_and_none_is_used_twice(identity: CloudIdentity) -> None:
    ports = [identity.aws_port, identity.aws_plain_port, identity.webhook_port, identity.kubernetes_port]
    assert len(set(ports)) == len(ports)
    # ip_local_port_range(7) begins at 32768: the kernel gives away what is above.
    assert all(1024 <= port < 32_768 for port in ports)


def test_a_cloud_with_a_node_keeps_its_own_addresses(tmp_path: Path) -> None:
    assert CloudIdentity.of(tmp_path).aws_port == 443


@pytest.mark.parametrize(
    ("address", "reason"),
    [("pods", "no IPv4 address"), ("127.0.0.1", "the pod itself"), (ADDRESS, "no such address")],
)
def test_an_address_that_pods_cannot_use_is_refused(address: str, reason: str) -> None:
    with pytest.raises(EmbeddedError, match=reason):
        settings.check_address(address)


def test_an_api_server_on_the_loopback_wants_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        with pytest.raises(EmbeddedError, match="--advertise") as raised:
            settings.address_towards(f"https://127.0.0.1:{server.getsockname()[1]}")
    assert "loopback" in raised.value.message


CONTEXT = PodContext(
    region="eu-west-1",
    aws_endpoint_url=f"https://{ADDRESS}:20000",
    has_pod_identity=True,
    authority="PEM",
    web_identity_role=ROLE,
    hosts={"db.example.rds.amazonaws.com": ADDRESS},
)
POD = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c"}]}}


def test_a_pod_carries_the_authority_that_it_mounts() -> None:
    pod = mutated(POD, CONTEXT)
    (volume,) = (one for one in pod["spec"]["volumes"] if "downwardAPI" in str(one))
    ((item,),) = (source["downwardAPI"]["items"] for source in volume["projected"]["sources"])
    name = item["fieldRef"]["fieldPath"].removeprefix("metadata.annotations['").removesuffix("']")
    assert pod["metadata"]["annotations"][name] == "PEM"
    assert "kube-root-ca.crt" not in str(pod), "that is the authority of the cluster, not of the cloud"


def test_a_pod_asks_sts_where_no_agent_answers() -> None:
    (container,) = mutated(POD, CONTEXT)["spec"]["containers"]
    environment = {one["name"]: one["value"] for one in container["env"]}
    assert environment["AWS_ROLE_ARN"] == ROLE
    assert environment["AWS_WEB_IDENTITY_TOKEN_FILE"].startswith("/var/run/secrets/")
    assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" not in environment


def test_databases_have_names_in_pods() -> None:
    alias = {"ip": ADDRESS, "hostnames": ["db.example.rds.amazonaws.com"]}
    assert mutated(POD, CONTEXT)["spec"]["hostAliases"] == [alias]


def test_a_second_pass_changes_nothing() -> None:
    assert patch(mutated(POD, CONTEXT), CONTEXT) == []


def test_only_pods_of_environments_meet_the_webhook(identity: CloudIdentity) -> None:
    identity.certificate_authority.parent.mkdir(parents=True)
    identity.certificate_authority.write_text("PEM")
    webhooks = [
        webhook for _, manifest in registration._objects(identity) for webhook in manifest.get("webhooks", [])
    ]
    assert len(webhooks) == 2
    assert all(one.get("namespaceSelector") or one.get("objectSelector") for one in webhooks)


def test_two_clouds_register_under_names_of_their_own(identity: CloudIdentity) -> None:
    identity.certificate_authority.parent.mkdir(parents=True)
    identity.certificate_authority.write_text("PEM")
    paths = {path for path, _ in registration._objects(identity)}
    others = {path for path, _ in registration._objects(replace(identity, name="airflow-other"))}
    assert not paths & others


def answer(form: str, signed: bool = False) -> tuple[str, str]:
    """Status and body of a POST to STS."""
    said: list[str] = []
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": "application/x-www-form-urlencoded; charset=utf-8",
        "CONTENT_LENGTH": str(len(form)),
        "wsgi.input": io.BytesIO(form.encode()),
        **({"HTTP_AUTHORIZATION": "AWS4-HMAC-SHA256 ..."} if signed else {}),
    }

    def credentials(token: str) -> dict[str, str]:
        if token != "good":
            raise CredentialsRefusedError("404 Not Found", "no association for <nobody>")
        return {
            "AccessKeyId": "A",
            "SecretAccessKey": "S&",
            "Token": "T",
            "Expiration": "2026-01-01T00:00:00Z",
        }

    def behind(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"behind:" + environ["wsgi.input"].read()

    body = WebIdentity(behind, credentials)(environ, lambda status, _: said.append(status))
    text = b"".join(body).decode()
    return said[0], text


REQUEST = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=r&WebIdentityToken="


def test_a_token_becomes_credentials_that_sdks_read() -> None:
    from botocore.loaders import Loader
    from botocore.model import ServiceModel
    from botocore.parsers import create_parser

    model = ServiceModel(Loader().load_service_model("sts", "service-2"))
    status, text = answer(REQUEST + "good")
    shape = model.operation_model("AssumeRoleWithWebIdentity").output_shape
    parsed = create_parser("query").parse(
        {"status_code": int(status[:3]), "headers": {}, "body": text.encode()}, shape
    )
    assert parsed["Credentials"]["SecretAccessKey"] == "S&"


def test_another_token_is_refused_with_the_reason() -> None:
    status, text = answer(REQUEST + "bad")
    assert status.startswith("403")
    assert "no association for &lt;nobody&gt;" in text


def test_other_requests_reach_the_aws_api_whole() -> None:
    assert answer("Action=GetCallerIdentity") == ("200 OK", "behind:Action=GetCallerIdentity")
    assert answer(REQUEST + "good", signed=True)[1].startswith("behind:Action=AssumeRoleWithWebIdentity")


USER = {"username": "arn:aws:iam::1:user/deployer", "groups": ["system:masters"]}


def test_nobody_chooses_whom_to_be() -> None:
    headers = [
        ("Host", "h"),
        ("Authorization", "Bearer k8s-aws-v1.x"),
        ("impersonate-user", "system:admin"),
        ("Impersonate-Group", "other"),
    ]
    lines = _forwarded(headers, USER, Credential(token="of-the-kubeconfig"))
    said = [line for line in lines if line.lower().startswith(("impersonate", "authorization"))]
    assert said == [
        "Authorization: Bearer of-the-kubeconfig",
        "Impersonate-User: arn:aws:iam::1:user/deployer",
        "Impersonate-Group: system:masters",
        "Impersonate-Group: system:authenticated",
    ]


def test_a_request_without_a_token_is_nobodys() -> None:
    with pytest.raises(TokenRefusedError):
        _bearer_token([("Authorization", "Basic eDp5")])


def test_a_databases_port_that_another_program_has_is_refused_before_anything_is_made(
    identity: CloudIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "all_instances", list)
    made = jobs.InstanceJobs.__new__(jobs.InstanceJobs)
    made.identity = identity.with_brought(BroughtCluster("127.0.0.1"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match=f"port {port} of 127.0.0.1 is taken by another program"):
            made.check_port(port)
    made.check_port(port)
