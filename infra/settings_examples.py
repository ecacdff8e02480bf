"""An example for each form that a text of a stack file may have: what a message shows beside the form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from infra.settings_airflow import IMAGE_PATTERN, IMAGE_TAG_PATTERN, REFERENCE_PATTERN, REPOSITORY_PATTERN
from infra.settings_database import PATH_PATTERN
from infra.settings_model import (
    CONFIG_NAME_PATTERN,
    DAILY_WINDOW_PATTERN,
    DNS_LABEL_PATTERN,
    HOST_NAME_PATTERN,
    REGION_PATTERN,
    TAG_PATTERN,
    WEEKLY_WINDOW_PATTERN,
)

_ARN: Final = "arn:aws[a-z-]*"
EXAMPLES: Final[Mapping[str, str]] = {
    REGION_PATTERN: "eu-west-1",
    DNS_LABEL_PATTERN: "data-platform",
    HOST_NAME_PATTERN: "airflow.example.com",
    TAG_PATTERN: "data-platform",
    DAILY_WINDOW_PATTERN: '"02:00-03:00"',
    WEEKLY_WINDOW_PATTERN: '"sun:03:30-sun:04:30"',
    PATH_PATTERN: "rds-ca-bundle.pem",
    r"^[0-9]{12}$": '"123456789012"',
    r"^3\.[0-9]+\.[0-9]+$": "3.2.2",
    r"^1\.[0-9]{2}$": '"1.34"',
    r"^subnet-[0-9a-f]{8,17}$": "subnet-0123456789abcdef0",
    r"^ami-[0-9a-f]{8,17}$": "ami-0123456789abcdef0",
    r"^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$": "platform",
    r"^[a-z](-?[a-z0-9])*$": "airflow-shared",
    r"^[\w.-]+/[\w.-]+/[\w.-]+$": "organization/airflow-cluster/shared",
    r"^[a-z][a-z0-9-]*\.[a-z0-9]+$": "t4g.medium",
    r"^db\.[a-z][a-z0-9-]*\.(micro|small|medium|large|[0-9]*xlarge)$": "db.m7g.large",
    r"^rds-ca-[a-z0-9-]+$": "rds-ca-rsa2048-g1",
    r"^[^@\s]+@[^@\s]+\.[^@\s]+$": "data-platform@example.com",
    r"^[A-Za-z0-9._@+-]{1,64}$": "admin",
    r"^https://\S+$": "https://alerts.example.com/airflow",
    r"^https://[^\s?#]+[^\s?#/]$": "https://login.example.com/tenant",
    r"^[A-Za-z0-9_.:/-]{1,256}$": "groups",
    r"^([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$": (
        "nginx.ingress.kubernetes.io/proxy-body-size"
    ),
    CONFIG_NAME_PATTERN: "max_active_runs_per_dag",
    r"^[a-z0-9_]+$": "postgres",
    REPOSITORY_PATTERN: ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/airflow"),
    IMAGE_TAG_PATTERN: "3.2.2-f00ba4",
    IMAGE_PATTERN: "123456789012.dkr.ecr.eu-west-1.amazonaws.com/airflow:3.2.2",
    REFERENCE_PATTERN: "main",
    r"^(https://|ssh://|git@)\S+$": "https://git.example.com/data/dags.git",
    r"^([\w-][\w.-]*(/[\w-][\w.-]*)*)?$": "dags",
    rf"^{_ARN}:acm:[a-z0-9-]+:[0-9]{{12}}:certificate/[\w-]+$": (
        "arn:aws:acm:eu-west-1:123456789012:certificate/0123abcd"
    ),
    rf"^{_ARN}:secretsmanager:[a-z0-9-]+:[0-9]{{12}}:secret:[A-Za-z0-9/_+=.@!-]{{1,512}}$": (
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:team/partner-AbCdEf"
    ),
    rf"^{_ARN}:iam::[0-9]{{12}}:role/[\w+=,.@/-]+$": "arn:aws:iam::123456789012:role/deployer",
    rf"^{_ARN}:iam::[0-9]{{12}}:(role|user)/[\w+=,.@/-]+$": "arn:aws:iam::123456789012:role/administrator",
    rf"^({_ARN}:iam::[0-9]{{12}}:policy/[\w+=,.@/-]+)?$": "arn:aws:iam::123456789012:policy/boundary",
    r"^([0-9]{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(/[a-z0-9._-]+)*)?$": (
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mirror"
    ),
}
