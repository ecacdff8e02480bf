"""What is there, whole: the account's file, all objects of Kubernetes, databases and roles of all instances.

Nothing here names what an environment makes; the lists below say what is left out, and why.

    python tests/cluster/residue.py FILE        write the listing of now
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import account_dump
import boto3
import psycopg
from witness import parsed, succeed

# Values of the account that move by themselves: pattern of the line -> why.
MOVING_VALUES = {
    r"^iam/aws access_keys\[ASIA": "credentials of a pod, which end by themselves within hours",
    r"^iam/aws access_keys\[[^]]+\]\.last_used": "when somebody last asked AWS for anything",
    r"^sts/aws assumed_roles\[": "the session of these credentials",
    r"^rds/[\w-]+ events\[": "say what happened; RDS keeps them for two weeks",
    r"^[\w-]+/[\w-]+ ((tagger|tagging_service)\.)?tags\[": "moto's book of tags, with those of things that "
    "are gone; a thing that is there has lines of its own",
}
# A service has its defaults (a network, prefix lists) from its first request on, so each is asked before.
FIRST_REQUESTS = {
    "acm": "list_certificates",
    "cloudwatch": "describe_alarms",
    "ec2": "describe_vpcs",
    "ecr": "describe_repositories",
    "eks": "list_clusters",
    "elbv2": "describe_load_balancers",
    "iam": "list_roles",
    "kms": "list_keys",
    "logs": "describe_log_groups",
    "rds": "describe_db_instances",
    "s3": "list_buckets",
    "secretsmanager": "list_secrets",
    "sns": "list_topics",
    "sts": "get_caller_identity",
}
# Kinds of objects that no deployment makes, or that say what happened: name -> why.
MOVING_KINDS = {
    "events": "say what happened; kept for an hour",
    "events.events.k8s.io": "the same objects",
    "leases.coordination.k8s.io": "heartbeats of the node and of the controllers",
    "certificatesigningrequests.certificates.k8s.io": "of the kubelet; the controllers forget them by age",
    "componentstatuses": "no objects: how parts fare at this moment",
}
# Kinds whose content the system keeps changing; their names are compared: name -> why.
MOVING_CONTENT = {
    "Endpoints": "the controllers follow addresses of pods",
    "EndpointSlice": "the controllers follow addresses of pods",
    "Node": "the kubelet lists images and conditions",
}


@dataclass(frozen=True)
class Listing:
    """Everything at one moment, each thing as one line."""

    account: Counter[str]
    """Values of the AWS account, as `account_dump` reads them."""
    kubernetes: Counter[str]
    """`Kind namespace/name digest` of every object."""
    databases: Counter[str]
    """`instance database NAME` and `instance role NAME` of every running instance of RDS."""

    def more_than(self, other: Listing) -> dict[str, list[str]]:
        """What this has and the other has not, by the place in which it shows, if there is any.

        What waits for its deletion, with its date, does not count.
        """
        found = {
            "account": kept(sorted((self.account - other.account).elements())),
            "kubernetes": sorted((self.kubernetes - other.kubernetes).elements()),
            "databases": sorted((self.databases - other.databases).elements()),
        }
        return {place: lines for place, lines in found.items() if lines}

    def write(self, path: Path) -> None:
        """Keep it for another process. Values may be secrets, so the file is the user's own."""
        path.touch(mode=0o600)
        path.write_text(json.dumps(vars(self)), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Listing:
        """Read what `write` wrote."""
        parts = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{name: Counter(lines) for name, lines in parts.items()})


def take() -> Listing:
    """The listing of now."""
    return Listing(account(), kubernetes(), _databases())


def kept(lines: list[str]) -> list[str]:
    """Return the lines of the account without those of keys and secrets that have a date to go.

    Raises:
        AssertionError: a key waits for its deletion without a date.
    """
    waiting = set()
    for line in lines:
        if match := re.match(r"(kms/\S+ keys\[[^]]+\])\.key_state = 'PendingDeletion'$", line):
            assert any(other.startswith(f"{match[1]}.deletion_date = datetime") for other in lines), line
            waiting.add(match[1])
        elif match := re.match(r"(secretsmanager/\S+ secrets\[[^]]+\])\.deleted_date = \d", line):
            waiting.add(match[1])
    return [line for line in lines if account_dump.object_of(line) not in waiting]


def _state() -> Path:
    """The directory of the cloud's AWS part, which `embedded run` names by its credentials."""
    return Path(os.environ["AWS_SHARED_CREDENTIALS_FILE"]).parent


def account() -> Counter[str]:
    """Every value of the AWS account that does not move by itself."""
    for service, operation in FIRST_REQUESTS.items():
        client: Any = boto3.client(service)  # type: ignore[call-overload]
        getattr(client, operation)()
    moving = re.compile("|".join(MOVING_VALUES))
    found = account_dump.dump(_state() / "account.pickle")
    gone = _gone(found)
    return Counter(
        {
            line: count
            for line, count in found.items()
            if not moving.search(line) and account_dump.object_of(line) not in gone
        }
    )


def _gone(lines: Iterable[str]) -> set[str]:
    """The objects of EC2 that moto goes on to hold although they are deleted.

    NAT gateways and endpoints are shown as deleted for a while, on AWS too. Interfaces and access lists of a
    network that is not there can't be there either: AWS deletes no network that has an interface, and a
    network's own access list goes with it.
    """
    networks, gone, inside = set(), set(), {}
    for line in lines:
        name = account_dump.object_of(line)
        if match := re.search(r"^ec2/\S+ (?:vpcs\[|default_vpc\.id = ')([^]']+)", line):
            networks.add(match[1])
        elif re.search(r"^ec2/\S+ (nat_gateways|vpc_end_points)\[[^]]+\]\.state = 'deleted'$", line):
            gone.add(name)
        elif match := re.search(
            r"^ec2/\S+ (?:enis|network_acls)\[[^]]+\]\.(?:subnet\.)?vpc_id = '(.+)'$", line
        ):
            inside[name] = match[1]
    return gone | {name for name, network in inside.items() if network not in networks}


def kubernetes() -> Counter[str]:
    """`Kind namespace/name digest` of every object."""
    kinds = set(succeed("kubectl", "api-resources", "--verbs", "list", "--output", "name").split())
    asked = ",".join(sorted(kinds - MOVING_KINDS.keys()))
    found = parsed("kubectl", "get", asked, "--all-namespaces", "--ignore-not-found", "--output", "json")
    return Counter(_object_line(item) for item in found["items"])


def _object_line(item: dict[str, Any]) -> str:
    """Name and content of an object, without what says when it was made, by whom, and how it fares."""
    metadata = item["metadata"]
    name = f"{item['kind']} {metadata.get('namespace', '')}/{metadata['name']}"
    if item["kind"] in MOVING_CONTENT:
        return name
    kept = {key: metadata[key] for key in ("labels", "annotations", "finalizers") if metadata.get(key)}
    content = {key: value for key, value in item.items() if key not in ("metadata", "status")}
    text = json.dumps([kept, content], sort_keys=True)
    return f"{name} {hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _databases() -> Counter[str]:
    client: Any = boto3.client("rds")
    hosts = _state().parent / "node" / "rds.hosts"
    lines = hosts.read_text(encoding="utf-8").splitlines() if hosts.exists() else []
    addresses = {name: address for address, name in (line.split() for line in lines)}
    found: Counter[str] = Counter()
    for instance in client.describe_db_instances()["DBInstances"]:
        if instance["DBInstanceStatus"] == "available":
            found.update(_of_instance(instance, addresses))
    return found


def _of_instance(instance: dict[str, Any], addresses: dict[str, str]) -> list[str]:
    secrets: Any = boto3.client("secretsmanager")
    secret = secrets.get_secret_value(SecretId=instance["MasterUserSecret"]["SecretArn"])["SecretString"]
    login, endpoint = json.loads(secret), instance["Endpoint"]
    query = "SELECT 'database ' || datname FROM pg_database UNION ALL SELECT 'role ' || rolname FROM pg_roles"
    with psycopg.connect(
        host=endpoint["Address"],
        hostaddr=addresses[endpoint["Address"]],
        port=endpoint["Port"],
        user=login["username"],
        password=login["password"],
        dbname="postgres",
        sslmode="verify-full",
        sslrootcert=os.environ["RDS_CA_BUNDLE"],
    ) as connection:
        name = instance["DBInstanceIdentifier"]
        return [f"{name} {row[0]}" for row in connection.execute(query).fetchall()]


if __name__ == "__main__":
    take().write(Path(sys.argv[1]))
