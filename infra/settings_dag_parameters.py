"""Settings for DAGs: Variables and Connections, and from which size XComs are kept in S3."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Final, Self

from pydantic import Field, JsonValue, model_validator
from pydantic_core import PydanticCustomError

from infra.settings_model import ENCRYPTABLE, Form, Model, inconsistent

# Bytes that a secret's text may have, and one at least:
# https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
SECRET_BYTES: Final = 65536
# The program makes this Connection itself, where the canary is on.
CANARY_CONNECTION: Final = "canary"
# Bytes of the largest XCom that may stay in the metadata database; the canary's is larger.
XCOM_THRESHOLD_LIMIT: Final = 1048576

# What Airflow takes for a Connection and Secrets Manager in a name; the columns of Airflow hold 250.
_NAME: Final = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}"
# Before "--" Airflow's backend expects a team, and finds nothing without one.
_TEAM: Final = "[^-]+--."
# https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html, Name
_ARN_END: Final = ".*-[A-Za-z0-9]{6}"


def _parameter_name(name: str) -> str:
    """Accept names that Airflow looks up and Secrets Manager keeps; `name` is without the prefix."""
    if not re.fullmatch(_NAME, name):
        allowed = "letters, digits, _ . and -, first a letter, a digit or _, 200 characters at most"
    elif re.match(_TEAM, name):
        allowed = "no -- after the first character: Airflow reads what is before it as a team"
    elif re.fullmatch(_ARN_END, name):
        allowed = "no - before the last six characters: Secrets Manager takes them for the end of an ARN"
    else:
        return name
    raise PydanticCustomError("parameter_name", "allowed: {what}", {"what": allowed})


ParameterName = Annotated[str, Form(_parameter_name, rf"^(?!{_TEAM}|{_ARN_END}$){_NAME}$")]


class ParameterSettings(Model):
    """What Variables and Connections have in common."""

    secret: str | None = Field(
        default=None,
        pattern=r"^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@!-]{1,512}$",
        description="ARN of an existing secret whose text is taken over at each deployment, in place of a "
        "value here.",
    )
    shareable: bool = Field(
        default=False,
        description="Whether an ephemeral environment that is made like this one may take the entry over.",
    )


class VariableSettings(ParameterSettings):
    """A Variable: a value, or an existing secret. Both end in Secrets Manager."""

    # repr=False keeps a value out of error messages too.
    value: JsonValue | None = Field(
        default=None,
        repr=False,
        json_schema_extra=ENCRYPTABLE,
        description="The value; one that is no text is kept as JSON. Secret: "
        "pulumi config set --secret --path 'airflow:variables.NAME.value'.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.value is None) == (self.secret is None):
            raise inconsistent(("", None, "set exactly one of: value, secret"))
        if self.text == "":
            raise inconsistent(("value", None, "is empty; Secrets Manager keeps no empty text"))
        if self.text is not None:
            _refuse_long("value", self.text)
        return self

    @property
    def text(self) -> str | None:
        """The text that Airflow reads; None where an existing secret has it."""
        if self.value is None or isinstance(self.value, str):
            return self.value
        return json.dumps(self.value, sort_keys=True, allow_nan=False)


class ConnectionSettings(ParameterSettings):
    """A Connection: its fields, or an existing secret with Airflow's JSON or URI form of one."""

    type: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9_]+$",
        max_length=200,
        description="Connection type as its provider names it: postgres, aws, http, ...",
    )
    host: str | None = Field(
        default=None, min_length=1, json_schema_extra=ENCRYPTABLE, description="Host name or address."
    )
    login: str | None = Field(
        default=None, min_length=1, json_schema_extra=ENCRYPTABLE, description="User name."
    )
    password: str | None = Field(
        default=None,
        min_length=1,
        repr=False,
        # Editors show it as what it is.
        json_schema_extra={**ENCRYPTABLE, "writeOnly": True},
        description="Password: pulumi config set --secret --path 'airflow:connections.NAME.password'.",
    )
    database_schema: str | None = Field(
        default=None,
        min_length=1,
        alias="schema",
        json_schema_extra=ENCRYPTABLE,
        description="Database or schema, where the type has one.",
    )
    port: int | None = Field(default=None, ge=1, le=65535, description="TCP port of the host.")
    extra: dict[str, JsonValue] = Field(
        default_factory=dict,
        repr=False,
        json_schema_extra=ENCRYPTABLE,
        description="Fields of the type's own; each may be a secret.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        fields = {key: value for key, value in self._fields().items() if value}
        if self.secret is not None and fields:
            raise inconsistent(("secret", self.secret, f"goes without {', '.join(fields)}"))
        if self.secret is None and self.type is None:
            raise inconsistent(("type", None, "set type, or secret with the ARN of an existing secret"))
        if self.text is not None:
            _refuse_long("extra", self.text)
        return self

    @property
    def text(self) -> str | None:
        """The Connection as the JSON that Airflow's backend reads; None where an existing secret has it."""
        if self.secret is not None:
            return None
        fields = self._fields()
        given = {"conn_type": fields.pop("type"), **{key: value for key, value in fields.items() if value}}
        return json.dumps(given, sort_keys=True, allow_nan=False)

    def _fields(self) -> dict[str, Any]:
        return {
            "type": self.type,
            "host": self.host,
            "login": self.login,
            "password": self.password,
            "schema": self.database_schema,
            "port": self.port,
            "extra": self.extra,
        }


class XcomSettings(Model):
    """Where tasks' results are kept."""

    threshold_bytes: int = Field(
        default=65536,
        ge=4096,
        le=XCOM_THRESHOLD_LIMIT,
        description="An XCom of this size or more is kept in S3, bytes of JSON; smaller ones are rows of the "
        "metadata database, where reading takes no request to S3.",
    )
    retention_days: int = Field(
        default=30,
        ge=1,
        le=3650,
        description="Days until an XCom in S3 is removed; a run that is older can't go on from its middle.",
    )


def _refuse_long(key: str, text: str) -> None:
    size = len(text.encode())
    if size > SECRET_BYTES:
        raise inconsistent((key, None, f"{size} bytes; Secrets Manager takes {SECRET_BYTES}"))
