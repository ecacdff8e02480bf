"""Ways to break one thing of a living environment, each with the row of the canary that has to show it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from witness import Environment


@dataclass(frozen=True)
class Breaks:
    """What can be broken in `environment`, row -> a context in which it is."""

    environment: Environment

    def all(self) -> dict[str, AbstractContextManager[None]]:
        """Fresh contexts, by row."""
        bucket = f"arn:aws:s3:::{self.environment.outputs['logsBucket']}"
        foreign = f"{self.environment.outputs['secretsPrefix']}-elsewhere/*"
        return {
            "logs read back from S3": self._right("Deny", "s3:PutObject", f"{bucket}/task-logs/*"),
            "large XCom over S3": self._right("Deny", "s3:PutObject", f"{bucket}/xcom/*"),
            "no secret of another environment": self._right(
                "Allow", "secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:*:*:secret:{foreign}"
            ),
            "Connection from Secrets Manager": self._deleted_connection(),
            "Fernet round trip": self._spoilt_variables(),
            "task pod without database access": self._url_in_configuration(),
            "rights of the canary's user": self._right_of_user(),
        }

    @contextmanager
    def together(self, rows: list[str]) -> Iterator[None]:
        """A context in which all of these are broken."""
        known = self.all()
        with ExitStack() as stack:
            for row in rows:
                stack.enter_context(known[row])
            yield

    @contextmanager
    def _right(self, effect: str, action: str, resource: str) -> Iterator[None]:
        """The role of task pods with one more statement."""
        iam, role = boto3.client("iam"), f"{self.environment.namespace}-{boto3.Session().region_name}-worker"
        name = f"break-{abs(hash((effect, resource)))}"
        statement = {"Effect": effect, "Action": action, "Resource": resource}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=document)
        try:
            yield
        finally:
            iam.delete_role_policy(RoleName=role, PolicyName=name)

    @contextmanager
    def _deleted_connection(self) -> Iterator[None]:
        client = boto3.client("secretsmanager")
        secret = f"{self.environment.outputs['secretsPrefix']}/connections/canary"
        client.delete_secret(SecretId=secret, RecoveryWindowInDays=7)
        try:
            yield
        finally:
            client.restore_secret(SecretId=secret)

    @contextmanager
    def _spoilt_variables(self) -> Iterator[None]:
        """A database that turns every stored Variable round, so that no key opens it."""
        self._sql(
            "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN NEW.val := reverse(NEW.val); RETURN NEW; END'",
            "CREATE TRIGGER spoil BEFORE INSERT OR UPDATE ON variable FOR EACH ROW EXECUTE FUNCTION spoil()",
        )
        try:
            yield
        finally:
            self._sql("DROP FUNCTION spoil() CASCADE")

    @contextmanager
    def _right_of_user(self) -> Iterator[None]:
        """Airflow's role of the canary with the right to read Connections."""
        chosen = (
            "v.id, r.id FROM ab_permission_view v JOIN ab_permission p ON p.id = v.permission_id "
            "JOIN ab_view_menu m ON m.id = v.view_menu_id, ab_role r "
            "WHERE p.name = 'can_read' AND m.name = 'Connections' AND r.name = 'Canary'"
        )
        table, columns = "ab_permission_view_role", "(permission_view_id, role_id)"
        number = f"nextval('{table}_id_seq')"
        self._sql(
            " ".join(["INSERT INTO", table, "(id, permission_view_id, role_id) SELECT", number, ",", chosen])
        )
        try:
            yield
        finally:
            self._sql(" ".join(["DELETE FROM", table, "WHERE", columns, "IN (SELECT", chosen, ")"]))

    @contextmanager
    def _url_in_configuration(self) -> Iterator[None]:
        """A database URL in the airflow.cfg that the next task pods mount."""
        found = json.loads(self.environment.kubectl("get", "configmap", "airflow-config", "--output", "json"))
        text = str(found["data"]["airflow.cfg"])
        self._configure(f"{text}\n[leak]\nurl = postgresql://airflow:password@database/airflow\n")
        try:
            yield
        finally:
            self._configure(text)

    def _configure(self, text: str) -> None:
        change = json.dumps({"data": {"airflow.cfg": text}})
        self.environment.kubectl("patch", "configmap", "airflow-config", "--patch", change)

    def _sql(self, *statements: str) -> Any:
        """Run statements as Airflow's own role, in a pod that has its login."""
        script = (
            "import os, sys, psycopg2\n"
            "connection = psycopg2.connect(os.environ['AIRFLOW__DATABASE__SQL_ALCHEMY_CONN'])\n"
            "with connection, connection.cursor() as cursor:\n"
            "    for statement in sys.argv[1:]: cursor.execute(statement)\n"
        )
        pod = ("exec", "deployment/airflow-api-server", "--container", "api-server")
        return self.environment.kubectl(*pod, "--", "python", "-c", script, *statements)
