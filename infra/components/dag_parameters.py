"""Variables and Connections for DAGs, as secrets in AWS Secrets Manager that Airflow's backend reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from infra.dynamic import RandomKind, RandomSecret
from infra.naming import Names
from infra.settings import ConnectionSettings, VariableSettings
from infra.settings_dag_parameters import CANARY_CONNECTION

PASSWORD_BYTES: Final = 24
# Days; AWS allows 7 to 30. In it, what was removed by mistake is there to be restored.
RECOVERY_WINDOW_DAYS: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class DagParametersArgs:
    """What DagParameters needs."""

    names: Names
    key_arn: pulumi.Input[str]
    variables: Mapping[str, VariableSettings]
    connections: Mapping[str, ConnectionSettings]
    canary: bool
    """Make a Connection with a random password, by which the canary sees that DAGs reach theirs."""
    protected: bool
    """Keep a removed secret for its recovery window."""


class DagParameters(pulumi.ComponentResource):
    """A secret for each Variable and Connection, encrypted by the environment's key.

    A protected environment's have a recovery window, in which a removed one keeps its name: the entry comes
    back by `airflow-env up`, which frees the name (see `infra/lifecycle/parameter_secrets.py`). Without
    protection there is no window, so the names are free for another environment of the same name.
    """

    TOKEN: Final = "airflowinfra:index:DagParameters"  # noqa: S105 - a type token

    secret_arns: Mapping[str, pulumi.Output[str]]
    """Name of a secret -> its ARN."""

    def __init__(
        self, name: str, args: DagParametersArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        self._name, self._args = name, args
        arns = {}
        for variable, entry in args.variables.items():
            secret = args.names.variable_secret(variable)
            arns[secret] = self._secret(f"variable-{variable}", secret, self._text(entry))
        for connection, fields in args.connections.items():
            secret = args.names.connection_secret(connection)
            arns[secret] = self._secret(f"connection-{connection}", secret, self._text(fields))
        if args.canary:
            secret = args.names.connection_secret(CANARY_CONNECTION)
            arns[secret] = self._secret("connection-canary", secret, self._canary_connection())
        self.secret_arns = arns
        self.register_outputs({"secretArns": dict(arns)})

    def _secret(self, role: str, secret_name: str, text: pulumi.Input[str]) -> pulumi.Output[str]:
        child = pulumi.ResourceOptions(parent=self)
        secret = aws.secretsmanager.Secret(
            f"{self._name}-{role}",
            name=secret_name,
            kms_key_id=self._args.key_arn,
            recovery_window_in_days=RECOVERY_WINDOW_DAYS if self._args.protected else 0,
            opts=child,
        )
        aws.secretsmanager.SecretVersion(
            f"{self._name}-{role}-text",
            secret_id=secret.id,
            # Secret whether or not the stack file marks it so: which texts are harmless is not known here.
            secret_string=pulumi.Output.secret(text),
            opts=child,
        )
        return secret.arn

    def _text(self, entry: VariableSettings | ConnectionSettings) -> pulumi.Input[str]:
        if entry.text is not None:
            return entry.text
        found = aws.secretsmanager.get_secret_version_output(
            secret_id=entry.secret, opts=pulumi.InvokeOutputOptions(parent=self)
        )
        return pulumi.Output.secret(found.secret_string)

    def _canary_connection(self) -> pulumi.Output[str]:
        options = pulumi.ResourceOptions(parent=self)
        made = RandomSecret(
            f"{self._name}-canary-password", RandomKind.TOKEN, length=PASSWORD_BYTES, opts=options
        )
        password: pulumi.Output[str] = pulumi.Output.secret(made.value)
        return password.apply(
            lambda text: json.dumps({"conn_type": "generic", "login": "canary", "password": text})
        )
