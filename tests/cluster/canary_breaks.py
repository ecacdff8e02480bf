"""Ways to break one thing of a living environment, each with the row of the canary that has to show it.

A way is called as its row; where there are several, `ROW: WAY`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass

import boto3
from canary_world import placed_by_hand, session_without_tls, unverified_pooler
from environment_access import airflow_as_canary, sql
from witness import Environment, succeed

from infra.lifecycle.airflow_api import AirflowApi

AIRFLOW_SECONDS = 90


@dataclass(frozen=True)
class Breaks:
    """What can be broken in `environment`."""

    environment: Environment

    def all(self) -> dict[str, AbstractContextManager[None]]:
        """Fresh contexts in which one thing is broken, by name."""
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
            "verify-full to the database: session without TLS": session_without_tls(self.environment),
            "verify-full to the database: unverified session": unverified_pooler(self.environment),
            "task pod without database access": self._url_in_configuration(),
            "rights of the canary's user": self._right_of_user(),
        }

    @contextmanager
    def changing(self) -> Iterator[Callable[[Collection[str]], None]]:
        """Yield what breaks these things and no others: the rest of what is broken is mended.

        What stays broken is left alone, for some of it takes long. At the end all is mended.
        """
        broken: dict[str, ExitStack] = {}
        with ExitStack() as whole:

            def only(names: Collection[str]) -> None:
                for name in [name for name in broken if name not in names]:
                    broken.pop(name).close()
                for name in [name for name in names if name not in broken]:
                    broken[name] = whole.enter_context(ExitStack())
                    broken[name].enter_context(self.all()[name])

            yield only

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
            self._await(lambda airflow: airflow.health().get(component) == "healthy")

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
            self._await(lambda airflow: airflow.status("/api/v2/connections") == 200)
            yield
        finally:
            self._sql(" ".join(["DELETE FROM", table, "WHERE", columns, "IN (SELECT", chosen, ")"]))

    def _await(self, what: Callable[[AirflowApi], bool]) -> None:
        """A user's rights are kept for half a minute, and a part is healthy once it has reported."""
        deadline = time.monotonic() + AIRFLOW_SECONDS
        with airflow_as_canary(self.environment) as airflow:
            while not what(airflow):
                assert time.monotonic() < deadline
                time.sleep(1)

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

    def _sql(self, *statements: str) -> None:
        sql(self.environment, *statements)
