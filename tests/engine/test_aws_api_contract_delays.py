"""Eventual consistency: what IAM and EKS grant takes effect after a delay that is set while the API runs."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from aws_api_server import ACCOUNT, Account, postgres_directory
from aws_api_tokens import eks_token, pod_credentials, review, service_account_key
from aws_contract import DOCS, allow, can, make_bucket, make_role, refused, session, trust
from botocore.exceptions import ClientError
from embedded.faults.settings import changing

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(postgres_directory() is None, reason="no Postgres in /usr/lib/postgresql"),
]

# Long enough for a few requests of a busy machine to fall into it.
DELAY_SECONDS = 6.0
LIMIT_SECONDS = 60.0
CONSISTENCY = "IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency"


def contract(service: str, behaviour: str, source: str) -> Any:
    return pytest.mark.contract(service, behaviour, f"{DOCS}/{source}")


@pytest.fixture
def set_delay(account: Account) -> Iterator[Callable[[float], None]]:
    """Set the delay as the cloud's command does; none at the end."""

    def change(seconds: float) -> None:
        with changing(account.identity) as settings:
            settings.settings = replace(settings.settings, consistency_seconds=seconds)

    yield change
    change(0.0)


@pytest.fixture(scope="module")
def pod(account: Account) -> Callable[[str], tuple[int, dict[str, str]]]:
    """What a pod of a service account in namespace airflow gets: HTTP status, and credentials."""
    key = service_account_key(account)
    return lambda name: pod_credentials(account, key, name)


def until_served(call: Callable[[], Any]) -> Any:
    """The answer of a call that is refused at first."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while True:
        try:
            return call()
        except ClientError:
            assert time.monotonic() < deadline
            time.sleep(0.3)


def until_refused(call: Callable[[], Any]) -> None:
    """Wait for a call to be refused that is served at first."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < deadline:
        try:
            call()
        except ClientError:
            return
        time.sleep(0.3)
    pytest.fail("never refused")


@contract(
    "iam", "A new role can be read at once, and assumed or associated only after the delay", CONSISTENCY
)
def test_a_new_role_is_assumed_later(account: Account, set_delay: Callable[[float], None]) -> None:
    cluster = account.cluster()
    set_delay(DELAY_SECONDS)
    own = make_role(account, "later")
    pods = make_role(account, "later-for-pods", trust("pods.eks.amazonaws.com"))
    assert account.client("iam").get_role(RoleName="later")["Role"]["Arn"] == own
    call = {"clusterName": cluster, "namespace": "later", "serviceAccount": "s", "roleArn": pods}
    eks = account.client("eks")
    error = refused(account.client("sts"), "assume_role", RoleArn=own, RoleSessionName="test")
    assert error == ("AccessDenied", 403)
    error = refused(eks, "create_pod_identity_association", **call)
    assert error == ("InvalidParameterException", 400)
    until_served(lambda: session(account, own))
    until_served(lambda: eks.create_pod_identity_association(**call))


@contract("iam", "A policy allows, and a removed one still allows, until the delay is over", CONSISTENCY)
def test_a_policy_allows_later(account: Account, set_delay: Callable[[float], None]) -> None:
    bucket = make_bucket(account, "delayed-policy")
    role = make_role(account, "delayed-policy")
    s3 = account.client("s3", **session(account, role))
    set_delay(DELAY_SECONDS)
    can(account, "delayed-policy", allow("s3:*"))
    assert refused(s3, "list_objects_v2", Bucket=bucket) == ("AccessDenied", 403)
    until_served(lambda: s3.list_objects_v2(Bucket=bucket))
    account.client("iam").delete_role_policy(RoleName="delayed-policy", PolicyName="only")
    s3.list_objects_v2(Bucket=bucket)
    until_refused(lambda: s3.list_objects_v2(Bucket=bucket))


@contract("iam", "Without a delay, what was changed holds for the next request", CONSISTENCY)
def test_no_delay_is_the_default(account: Account) -> None:
    bucket = make_bucket(account, "no-delay")
    role = make_role(account, "no-delay")
    can(account, "no-delay", allow("s3:*"))
    account.client("s3", **session(account, role)).list_objects_v2(Bucket=bucket)


@contract(
    "eks",
    "An access entry opens the cluster only after the delay, and a deleted one still does so long",
    "eks/latest/userguide/access-entries.html",
)
def test_an_access_entry_opens_later(account: Account, set_delay: Callable[[float], None]) -> None:
    cluster, eks = account.cluster(), account.client("eks")
    role = make_role(account, "delayed-entry")
    token = eks_token(account, cluster, **session(account, role))

    def opens() -> bool:
        return bool(review(account, token)["authenticated"])

    set_delay(DELAY_SECONDS)
    entry = {"clusterName": cluster, "principalArn": role}
    eks.create_access_entry(**entry, kubernetesGroups=["readers"])
    assert eks.describe_access_entry(**entry)["accessEntry"]["kubernetesGroups"] == ["readers"]
    assert opens() is False
    _until(opens)
    eks.delete_access_entry(**entry)
    assert opens() is True
    _until(lambda: not opens())


@contract(
    "eks",
    "A Pod Identity association reaches pods only after the delay",
    "eks/latest/userguide/pod-id-how-it-works.html",
)
def test_an_association_reaches_pods_later(
    account: Account,
    set_delay: Callable[[float], None],
    pod: Callable[[str], tuple[int, dict[str, str]]],
) -> None:
    cluster = account.cluster()
    role = make_role(account, "delayed-association", trust("pods.eks.amazonaws.com"))
    set_delay(DELAY_SECONDS)
    account.client("eks").create_pod_identity_association(
        clusterName=cluster, namespace="airflow", serviceAccount="delayed", roleArn=role
    )
    assert pod("delayed")[0] == 404
    _until(lambda: pod("delayed")[0] == 200)


@contract(
    "eks",
    "Pods get a role only as its trust policy says: aws:SourceAccount, aws:SourceArn and the session's tags",
    "eks/latest/userguide/pod-id-role.html",
)
def test_a_trust_policy_is_compared_with_the_pod(
    account: Account, pod: Callable[[str], tuple[int, dict[str, str]]]
) -> None:
    cluster = account.client("eks").describe_cluster(name=account.cluster())["cluster"]["arn"]
    ours = {
        "StringEquals": {
            "aws:SourceAccount": ACCOUNT,
            "aws:RequestTag/kubernetes-namespace": "airflow",
            "aws:RequestTag/kubernetes-service-account": "trusted",
        },
        "ArnEquals": {"aws:SourceArn": cluster},
    }
    others = {"ArnEquals": {"aws:SourceArn": cluster.replace("contract", "another")}}
    strange = {"StringEquals": {"aws:Strange": "x"}}
    cases = ((ours, "trusted", 200), (others, "of-others", 403), (strange, "strange", 501))
    for condition, name, expected in cases:
        role = make_role(account, f"pod-{name}", trust("pods.eks.amazonaws.com", Condition=condition))
        account.client("eks").create_pod_identity_association(
            clusterName=account.cluster(), namespace="airflow", serviceAccount=name, roleArn=role
        )
        assert pod(name)[0] == expected, name


@contract(
    "eks",
    "A pod's session has the tags of its cluster, namespace and service account, for aws:PrincipalTag",
    "eks/latest/userguide/pod-id-abac.html",
)
def test_a_pod_reads_what_its_tags_name(
    account: Account, pod: Callable[[str], tuple[int, dict[str, str]]]
) -> None:
    manager = account.client("secretsmanager")
    for name in ("airflow/tagged", "other/tagged"):
        manager.create_secret(Name=name, SecretString="s")
    role = make_role(account, "pod-tagged", trust("pods.eks.amazonaws.com"))
    base = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret"
    own = f"{base}:${{aws:PrincipalTag/kubernetes-namespace}}/*"
    can(account, "pod-tagged", allow("secretsmanager:GetSecretValue", own))
    account.client("eks").create_pod_identity_association(
        clusterName=account.cluster(), namespace="airflow", serviceAccount="tagged", roleArn=role
    )
    reader = account.client("secretsmanager", **pod("tagged")[1])
    assert reader.get_secret_value(SecretId="airflow/tagged")["SecretString"] == "s"
    error = refused(reader, "get_secret_value", SecretId="other/tagged")
    assert error == ("AccessDeniedException", 400)


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.3)
