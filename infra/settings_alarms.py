"""Settings of alarms: who hears of trouble with the database, and from which values on it is trouble."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from infra.settings_model import ONCE, Model

EmailAddress = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=254)]
HttpsUrl = Annotated[str, StringConstraints(pattern=r"^https://\S+$", max_length=2048)]


class AlarmSettings(Model):
    """CloudWatch alarms and RDS events of the metadata database, and a topic that carries them."""

    enabled: bool | None = Field(
        default=None,
        description="Make alarms, events and their topic. Absent: with durability persistent.",
    )
    emails: Annotated[tuple[EmailAddress, ...], ONCE] = Field(
        default=(), max_length=50, description="Addresses that get alarms, after they confirmed by a link."
    )
    https_endpoints: Annotated[tuple[HttpsUrl, ...], ONCE] = Field(
        default=(),
        max_length=50,
        description="HTTPS endpoints that get alarms, e.g. of an on-call service; they confirm it.",
    )
    cpu_percent: int = Field(
        default=80, ge=1, le=100, description="Alarm above this use of the processor for 15 minutes, %."
    )
    free_storage_percent: int = Field(
        default=15,
        ge=1,
        le=90,
        description="Alarm below this free part of the storage at creation, %. Storage grows by itself up "
        "to maxStorageGib, so this means that it does not.",
    )
    connections_percent: int = Field(
        default=85,
        ge=1,
        le=100,
        description="Alarm above this part of the connections that the instance class allows, %.",
    )
    freeable_memory_percent: int = Field(
        default=5, ge=1, le=90, description="Alarm below this free part of the instance's memory, %."
    )
    cpu_credits: int = Field(
        default=20,
        ge=1,
        le=10000,
        description="Alarm below this balance of CPU credits; classes of the t family alone have them.",
    )
    dashboard: bool = Field(default=True, description="A CloudWatch dashboard of the database's metrics.")
