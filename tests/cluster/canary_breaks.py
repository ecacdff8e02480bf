"""Ways to break one thing of a living environment, each with the row of the canary that has to show it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from canary_world import placed_by_hand, session_without_tls
from environment_access import airflow_as_canary
from witness import Environment, succeed

RIGHTS_SECONDS = 90


@dataclass(frozen=True)
class Breaks:
    """What can be broken in `environment`, row -> a context in which it is."""

    environment: Environment

    def all(self) -> dict[str, AbstractContextManager[None]]:
        """Fresh contexts, by row."""
        bucket = f"arn:aws:s3:::{self.environment.outputs['logsBucket']}"
        foreign = f"{self.environment.outputs['secretsPrefix']}-elsewhere/*"
        return {
            "all parts healthy": self._stopped("triggerer"),
            "logs read back from S3": self._right("Deny", "s3:PutObject", f"{bucket}/task-logs/*"),
            "two tasks in two pods": placed_by_hand(self.environment),
            "XCom from pod to pod": self._spoilt(
                "xcom",
                "IF NEW.task_id = 'write' AND NEW.key = 'return_value' THEN NEW.value := "
                "replace(NEW.value::text, 'canary-write-', 'canary-other-')::jsonb; END IF;",
            ),
            "large XCom over S3": self._right("Deny", "s3:PutObject", f"{bucket}/xcom/*"),
            "no secret of another environment": self._right(
                "Allow", "secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:*:*:secret:{foreign}"
            ),
            "Connection from Secrets Manager": self._deleted_connection(),
            # No key opens what is turned round.
            "Fernet round trip": self._spoilt("variable", "NEW.val := reverse(NEW.val);"),
            "verify-full to the database": session_without_tls(self.environment),
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
    def no_task_pods(self) -> Iterator[None]:
        """A scheduler that may not start pods: no task runs."""
        role = "airflow-pod-launcher-role"
        rules = json.loads(self.environment.kubectl("get", "role", role, "--output", "json"))["rules"]
        without = [{**rule, "verbs": [verb for verb in rule["verbs"] if verb != "create"]} for rule in rules]
        self.environment.kubectl("patch", "role", role, "--patch", json.dumps({"rules": without}))
        try:
            yield
        finally:
            self.environment.kubectl("patch", "role", role, "--patch", json.dumps({"rules": rules}))

    @contextmanager
    def _stopped(self, component: str) -> Iterator[None]:
        """A part of Airflow without pods; at the end it is ready again."""
        kubectl, selector = self.environment.kubectl, f"component={component}"
        [name] = kubectl(
            "get", "deployments,statefulsets", "--selector", selector, "--output", "name"
        ).split()
        kubectl("scale", name, "--replicas", "0")
        try:
            kubectl("wait", "pods", "--selector", selector, "--for", "delete", "--timeout", "100s")
            yield
        finally:
            kubectl("scale", name, "--replicas", "1")
            succeed("kubectl", "-n", self.environment.namespace, "rollout", "status", name, seconds=300)

    @contextmanager
    def _spoilt(self, table: str, change: str) -> Iterator[None]:
        """A database that changes every new row of a table; `change` is PL/pgSQL on the row NEW."""
        self._sql(
            f"CREATE FUNCTION spoil_{table}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$BEGIN {change} RETURN NEW; END$$",
            f"CREATE TRIGGER spoil BEFORE INSERT OR UPDATE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION spoil_{table}()",
        )
        try:
            yield
        finally:
            self._sql(f"DROP FUNCTION spoil_{table}() CASCADE")

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
            self._await_right("connections")
            yield
        finally:
            self._sql(" ".join(["DELETE FROM", table, "WHERE", columns, "IN (SELECT", chosen, ")"]))

    def _await_right(self, path: str) -> None:
        """Airflow keeps what it knows of a user's rights for half a minute."""
        deadline = time.monotonic() + RIGHTS_SECONDS
        with airflow_as_canary(self.environment) as airflow:
            while (answer := airflow.status(f"/api/v2/{path}")) != 200:
                assert time.monotonic() < deadline, answer
                time.sleep(2)

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
