"""What settings are built with: the base model, texts of known forms, mistakes of several values."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

# Tag keys and values as AWS accepts them on all services:
# https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
TAG_PATTERN: Final = r"^[\w .:/=+\-@]*$"
# Tags that the program sets itself (see infra/providers.py).
RESERVED_TAGS: Final = ("project", "stack", "deployment-id", "owner", "expires-at", "recovery-set")

TagText = Annotated[str, StringConstraints(pattern=TAG_PATTERN, max_length=256)]
Region = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+){1,2}-[1-9]$")]
DnsLabel = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
HostName = Annotated[
    str,
    StringConstraints(
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$", max_length=253
    ),
]
SubnetId = Annotated[str, StringConstraints(pattern=r"^subnet-[0-9a-f]{8,17}$")]
# Daily window "hh:mm-hh:mm" in UTC, as RDS wants it.
DailyWindow = Annotated[
    str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$")
]
_DAY = "(mon|tue|wed|thu|fri|sat|sun)"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]"
WeeklyWindow = Annotated[str, StringConstraints(pattern=rf"^{_DAY}:{_TIME}-{_DAY}:{_TIME}$")]
# The values that CloudWatch Logs accepts:
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
LogRetentionDays = Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653]
# Airflow's section and option names; a value is text, since the chart prints numbers as floats.
ConfigName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.]*$", max_length=128)]


def _empty_is_absent(value: str | None) -> str | None:
    """Read "" as absent: the CLI wants a default for each optional key, and knows no null."""
    return value or None


def optional_text(pattern: str, what: str) -> AfterValidator:
    """Validate an optional text by `pattern`, after "" was read as absent; `what` names the allowed form."""
    compiled = re.compile(pattern)

    def check(value: str | None) -> str | None:
        value = _empty_is_absent(value)
        if value is not None and not compiled.fullmatch(value):
            raise PydanticCustomError("optional_text", "allowed: {what}", {"what": what})
        return value

    return AfterValidator(check)


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


def _network(text: str) -> str:
    try:
        ipaddress.IPv4Network(text)
    except ValueError as error:
        raise PydanticCustomError(
            "network", "allowed: an IPv4 network such as 10.0.0.0/16 ({reason})", {"reason": str(error)}
        ) from None
    return text


Network = Annotated[str, AfterValidator(_network)]


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
