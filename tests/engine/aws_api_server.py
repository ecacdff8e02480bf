"""An AWS part of its own for tests: a process on a loopback block, with temporary state."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from botocore.config import Config
from embedded.aws_api.__main__ import loopback_identity
from embedded.aws_api.deployer import deployer_credentials
from embedded.aws_api.part import check_ready
from embedded.errors import NotReady
from embedded.identity import CloudIdentity
from embedded.preconditions import is_free
from embedded.processes import Supervisor

REGION = "eu-west-1"
ACCOUNT = "123456789012"
START_SECONDS = 60
CHANGE_SECONDS = 90
ONCE = Config(retries={"mode": "standard", "total_max_attempts": 1})
"""For who wants to see each failure."""


def postgres_directory() -> Path | None:
    """The newest Postgres of the machine."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    return found[-1].parent if found else None


@dataclass
class Account:
    """The account behind one server process, and boto3 over TLS as everybody's client."""

    identity: CloudIdentity
    home: Path
    process: "subprocess.Popen[bytes] | None" = None
    _clients: dict[Any, Any] = field(default_factory=dict)

    def start(self) -> None:
        """Start the process and wait until it answers."""
        postgres = postgres_directory()
        assert postgres is not None
        command = [sys.executable, "-m", "embedded.aws_api", "--checkout", str(self.identity.checkout)]
        command += ["--postgres", str(postgres), "--loopback", str(self.identity.block)]
        with (self.home / "aws.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=self._own_environment())
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                check_ready(self.identity)
                return
            except NotReady:
                assert self.process.poll() is None, self.log()
                assert time.monotonic() < deadline, self.log()
                time.sleep(0.1)

    def kill(self) -> None:
        """End the process without giving it a chance to write anything."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def close(self) -> None:
        """Stop the process and every database it has started."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)
        supervisor = Supervisor(self.identity)
        supervisor.stop_all(supervisor.names())

    def log(self) -> str:
        """What the process has written."""
        return (self.home / "aws.log").read_text()

    def client(self, service: str, **credentials: str) -> Any:
        """A client with the deployer's key, or with the given one; made once each, which is slow."""
        wanted = (service, *sorted(credentials.items()))
        if wanted not in self._clients:
            self._clients[wanted] = self._new_client(service, credentials)
        return self._clients[wanted]

    def new_client(self, service: str, config: Config = ONCE) -> Any:
        """A client with connections of its own; it asks once if not told otherwise."""
        return self._new_client(service, {}, config=config)

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which tools use this account as its deployer."""
        key = deployer_credentials(self.identity)
        return {
            "AWS_ENDPOINT_URL": self.identity.aws_endpoint_url,
            "AWS_CA_BUNDLE": str(self.identity.certificate_authority),
            "AWS_ACCESS_KEY_ID": key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def _new_client(self, service: str, credentials: dict[str, str], **options: Any) -> Any:
        deployer = deployer_credentials(self.identity)
        key = {
            "aws_access_key_id": deployer.access_key_id,
            "aws_secret_access_key": deployer.secret_access_key,
        }
        return boto3.client(
            service,
            endpoint_url=self.identity.aws_endpoint_url,
            verify=str(self.identity.certificate_authority),
            **{"region_name": REGION, **key, **credentials, **options},
        )

    def create_database(self, identifier: str, **options: Any) -> None:
        """Ask for a small database; `options` are those of CreateDBInstance."""
        defaults: dict[str, Any] = {
            "DBInstanceIdentifier": identifier,
            "DBInstanceClass": "db.t4g.micro",
            "Engine": "postgres",
            "AllocatedStorage": 20,
            "MasterUsername": "administrator",
            "ManageMasterUserPassword": True,
        }
        self.client("rds").create_db_instance(**{**defaults, **options})

    def instance(self, identifier: str, status: str = "available") -> dict[str, Any]:
        """The instance once it has this status."""
        deadline = time.monotonic() + CHANGE_SECONDS
        while True:
            found = self.client("rds").describe_db_instances(DBInstanceIdentifier=identifier)
            instance: dict[str, Any] = found["DBInstances"][0]
            if instance["DBInstanceStatus"] == status:
                return instance
            assert time.monotonic() < deadline, (instance["DBInstanceStatus"], self.log()[-2000:])
            time.sleep(0.1)

    def connect(self, identifier: str, **options: Any) -> "psycopg.Connection[Any]":
        """Log in as the master user with the managed secret, checking the server's name and authority."""
        arn = self.instance(identifier)["MasterUserSecret"]["SecretArn"]
        secret = self.client("secretsmanager").get_secret_value(SecretId=arn)
        login = json.loads(secret["SecretString"])
        return self.connect_as(
            identifier, **{"user": login["username"], "password": login["password"], **options}
        )

    def connect_as(self, identifier: str, **options: Any) -> "psycopg.Connection[Any]":
        """Log in with a user and a password that are given."""
        instance = self.instance(identifier)
        host = instance["Endpoint"]["Address"]
        lines = (self.identity.node_directory / "rds.hosts").read_text().splitlines()
        addresses = {name: address for address, name in (line.split() for line in lines)}
        defaults = {
            "host": host,
            "hostaddr": addresses[host],
            "port": instance["Endpoint"]["Port"],
            "dbname": "postgres",
            "sslmode": "verify-full",
            "sslrootcert": str(self.identity.certificate_authority),
            "autocommit": True,
        }
        return psycopg.connect(**{**defaults, **options})

    def subnets(self) -> list[str]:
        """Subnets in three zones of a new network."""
        ec2 = self.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        return [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{index}.0/24", AvailabilityZone=f"{REGION}{zone}")[
                "Subnet"
            ]["SubnetId"]
            for index, zone in enumerate("abc")
        ]

    def cluster(self) -> str:
        """A cluster with access entries, made once; its name."""
        eks, iam = self.client("eks"), self.client("iam")
        if "contract" not in eks.list_clusters()["clusters"]:
            statement = {
                "Effect": "Allow",
                "Principal": {"Service": "eks.amazonaws.com"},
                "Action": ["sts:AssumeRole", "sts:TagSession"],
            }
            trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            role = iam.create_role(RoleName="contract-cluster", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
            eks.create_cluster(
                name="contract",
                roleArn=role,
                resourcesVpcConfig={"subnetIds": self.subnets()},
                accessConfig={"authenticationMode": "API"},
            )
        return "contract"

    def _own_environment(self) -> dict[str, str]:
        return {**os.environ, "MALLOC_ARENA_MAX": "2"}


@contextmanager
def running_account(home: Path) -> Iterator[Account]:
    """An account of its own below `home`, served until the end of the block."""
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_STATE_HOME", str(home / "state"))
    for name in [name for name in os.environ if name.startswith(("AWS_", "PULUMI_"))]:
        patch.delenv(name)
    account = _account(home)
    try:
        account.start()
        yield account
    finally:
        account.close()
        patch.undo()


def _account(home: Path) -> Account:
    """The account of a checkout below `home`, where XDG_STATE_HOME points already."""
    checkout = home / "checkout"
    checkout.mkdir(exist_ok=True)
    identity = _on_loopback(checkout)
    # Other test processes have accounts of their own.
    while not is_free(identity.host_address, identity.aws_port):
        identity = _on_loopback(checkout)
    identity.state_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Account(identity, home)


def _on_loopback(checkout: Path) -> CloudIdentity:
    block = f"127.{20 + secrets.randbelow(200)}.{4 * secrets.randbelow(64)}.0/22"
    return loopback_identity(CloudIdentity.of(checkout), block)
