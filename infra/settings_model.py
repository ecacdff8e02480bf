"""What settings are built with: the base model, texts of known forms, mistakes of several values."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
)
from pydantic.alias_generators import to_camel
from pydantic.config import JsonDict
from pydantic_core import CoreSchema, PydanticCustomError, PydanticKnownError, core_schema

# Tag keys and values as AWS accepts them on all services:
# https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
TAG_PATTERN: Final = r"^[\w .:/=+\-@]*$"
# Tags that the program sets itself (see infra/providers.py).
RESERVED_TAGS: Final = ("project", "stack", "deployment-id", "owner", "expires-at", "recovery-set")

TagText = Annotated[str, StringConstraints(pattern=TAG_PATTERN, max_length=256)]
TagKey = Annotated[str, StringConstraints(pattern=TAG_PATTERN, min_length=1, max_length=128)]
REGION_PATTERN: Final = r"^[a-z]{2}(-[a-z]+){1,2}-[1-9]$"
DNS_LABEL_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
# The last label is no number: an ingress takes no address.
# https://kubernetes.io/docs/reference/kubernetes-api/service-resources/ingress-v1/#IngressRule
_LABEL: Final = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
HOST_NAME_PATTERN: Final = rf"^({_LABEL}\.)+[a-z]([-a-z0-9]{{0,61}}[a-z0-9])$"
_TIME: Final = r"([01][0-9]|2[0-3]):[0-5][0-9]"
_DAY: Final = "(mon|tue|wed|thu|fri|sat|sun)"
DAILY_WINDOW_PATTERN: Final = rf"^{_TIME}-{_TIME}$"
WEEKLY_WINDOW_PATTERN: Final = rf"^{_DAY}:{_TIME}-{_DAY}:{_TIME}$"

DnsLabel = Annotated[str, StringConstraints(pattern=DNS_LABEL_PATTERN, max_length=63)]
HostName = Annotated[str, StringConstraints(pattern=HOST_NAME_PATTERN, max_length=253)]
SubnetId = Annotated[str, StringConstraints(pattern=r"^subnet-[0-9a-f]{8,17}$")]
# Windows "hh:mm-hh:mm" and "ddd:hh:mm-ddd:hh:mm" in UTC, as RDS wants them.
DailyWindow = Annotated[str, StringConstraints(pattern=DAILY_WINDOW_PATTERN)]
WeeklyWindow = Annotated[str, StringConstraints(pattern=WEEKLY_WINDOW_PATTERN)]
# Marks fields that may be encrypted in a stack file, whole or in parts: nothing but the program needs them.
ENCRYPTABLE: Final[JsonDict] = {"encryptable": True}


@dataclass(frozen=True)
class _NoBoolean:
    """For choices of numbers: to Python, and so to pydantic, true is 1 and false is 0."""

    def __get_pydantic_core_schema__(
        self, source: type[Any], handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        expected = ", ".join(map(str, get_args(source)))

        def check(value: object) -> object:
            if isinstance(value, bool):
                raise PydanticKnownError("literal_error", {"expected": expected})
            return value

        return core_schema.no_info_before_validator_function(check, handler(source))


NO_BOOLEAN: Final = _NoBoolean()

# The values that CloudWatch Logs accepts:
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
LogRetentionDays = Annotated[
    Literal[
        1,
        3,
        5,
        7,
        14,
        30,
        60,
        90,
        120,
        150,
        180,
        365,
        400,
        545,
        731,
        1096,
        1827,
        2192,
        2557,
        2922,
        3288,
        3653,
    ],
    NO_BOOLEAN,
]
# Airflow's section and option names; a value is text, since the chart prints numbers as floats.
CONFIG_NAME_PATTERN: Final = r"^[a-z][a-z0-9_.]*$"
ConfigName = Annotated[str, StringConstraints(pattern=CONFIG_NAME_PATTERN, max_length=128)]


def _empty_is_absent(value: str | None) -> str | None:
    """Read "" as absent: the CLI wants a default for each optional key, and knows no null."""
    return value or None


@dataclass(frozen=True)
class Form(AfterValidator):
    """A check of a text's form by code, and the pattern by which an editor can see most of it."""

    pattern: str = ""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema: dict[str, Any] = handler(core)
        for option in schema.get("anyOf", [schema]):
            if option.get("type") == "string":
                option["pattern"] = self.pattern
        return schema


# Regions that exist and were never tried, by how their names begin: service principals and endpoints differ.
# https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html
_UNTRIED: Final = {r"cn-": "AWS China", r"[a-z]+-iso": "AWS's isolated regions"}


def _region(name: str) -> str:
    for beginning, what in _UNTRIED.items():
        if re.match(beginning, name):
            raise PydanticCustomError(
                "region",
                "allowed: a region of AWS's commercial or GovCloud partition; in {what} service principals "
                "and endpoints have other names, and nothing of this was tried there",
                {"what": what},
            )
    return name


Region = Annotated[
    str,
    StringConstraints(pattern=REGION_PATTERN),
    Form(_region, rf"^(?!{'|'.join(_UNTRIED)}){REGION_PATTERN.removeprefix('^')}"),
]


class _Once(AfterValidator):
    """A check that no entry of a list stands twice, which an editor sees too."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(core), "uniqueItems": True}


def _once(values: tuple[str, ...]) -> tuple[str, ...]:
    repeated = sorted({value for value in values if values.count(value) > 1})
    if repeated:
        raise PydanticCustomError(
            "repeated", "allowed: each entry once; repeated: {repeated}", {"repeated": ", ".join(repeated)}
        )
    return values


# For lists whose entries become resources of the same name, or that AWS wants without repetition.
ONCE: Final = _Once(_once)


def optional_text(pattern: str, what: str) -> Form:
    """Validate an optional text by `pattern`, after "" was read as absent; `what` names the allowed form."""
    compiled = re.compile(pattern)

    def check(value: str | None) -> str | None:
        value = _empty_is_absent(value)
        if value is not None and not compiled.fullmatch(value):
            raise PydanticCustomError("optional_text", "allowed: {what}", {"what": what})
        return value

    return Form(check, rf"^({pattern})?$")


def inconsistent(*mistakes: tuple[str, object, str]) -> PydanticCustomError:
    """Error for values that are right one by one and wrong together.

    Args:
        mistakes: key within the model ("" for the model itself), the value found, and what is allowed
            instead.
    """
    return PydanticCustomError(
        "inconsistent",
        "{text}",
        {
            "text": "; ".join(f"{key}: {allowed}" if key else allowed for key, _, allowed in mistakes),
            "mistakes": list(mistakes),
        },
    )


def tag_mistakes(tags: Mapping[str, str]) -> list[tuple[str, object, str]]:
    """What is wrong with tags of one's own beside the program's: reserved keys, keys that AWS takes for one.

    Roles and policies do not tell upper from lower case in keys:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html#id_tags_rules_creating
    """
    mistakes: list[tuple[str, object, str]] = []
    first: dict[str, str] = {}
    for key, value in tags.items():
        lower = key.lower()
        if lower in RESERVED_TAGS or lower.startswith("aws:"):
            mistakes.append((f"tags.{key}", value, "the program sets this tag itself; use another key"))
        elif lower in first:
            same = f"is the same key as {first[lower]} to AWS's roles, which have no upper case; keep one"
            mistakes.append((f"tags.{key}", value, same))
        first.setdefault(lower, key)
    return mistakes


_NETWORK: Final = re.compile(r"[0-9.]+/[0-9]{1,2}")


def _network(text: str) -> str:
    try:
        network = ipaddress.IPv4Network(text)
        # Python also reads an address alone and a mask, Kubernetes and EC2 do not.
        reason = "" if _NETWORK.fullmatch(text) else f"write it as {network}"
    except ValueError as error:
        reason = str(error)
        if "host bits" in reason:
            reason = f"the network of {text} is {ipaddress.IPv4Network(text, strict=False)}"
    if reason:
        raise PydanticCustomError(
            "network", "allowed: an IPv4 network such as 10.0.0.0/16 ({reason})", {"reason": reason}
        )
    return text


Network = Annotated[str, Form(_network, r"^([0-9]{1,3}\.){3}[0-9]{1,3}/[0-9]{1,2}$")]


class Model(BaseModel):
    """Base of all settings: frozen, strict in types, no unknown keys, camelCase outside."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
    )
