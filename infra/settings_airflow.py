"""Settings of Airflow itself: version and image, size, DAGs."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from infra import versions
from infra.settings_known_hosts import known_hosts_mistake, over_ssh
from infra.settings_model import ConfigName, DnsLabel, Model, inconsistent

# Text that git takes for a reference and for no option of its own.
REFERENCE_PATTERN: Final = r"^[A-Za-z0-9_][\w./+@-]*$"
# Name of an image in a registry, and its tag: https://docs.docker.com/reference/cli/docker/image/tag/#description
_REPOSITORY: Final = r"[a-z0-9]+([._-][a-z0-9]+)*(:[0-9]+/[a-z0-9]+)?([._/-][a-z0-9]+)*"
_TAG: Final = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST: Final = r"@sha256:[0-9a-f]{64}"
REPOSITORY_PATTERN: Final = rf"^{_REPOSITORY}$"
IMAGE_TAG_PATTERN: Final = rf"^{_TAG}$"
# With one of both: without, it is whatever is the latest.
IMAGE_PATTERN: Final = rf"^{_REPOSITORY}(:{_TAG}({_DIGEST})?|{_DIGEST})$"
_CREDENTIALS: Final = re.compile(r"https://[^/]*@|ssh://[^/]*:[^/]*@")


class Size(StrEnum):
    """Set of replicas and resources: names a file under charts/values/."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


class DagSource(StrEnum):
    """How DAG files reach Airflow."""

    IMAGE = "image"
    GIT_SYNC = "gitSync"
    GIT_BUNDLE = "gitBundle"


class ImageSettings(Model):
    """The container image of all Airflow pods."""

    repository: str = Field(
        default=versions.AIRFLOW_IMAGE_REPOSITORY,
        pattern=REPOSITORY_PATTERN,
        description="Image repository, with its registry where that is not Docker Hub.",
    )
    tag: str | None = Field(
        default=None,
        pattern=IMAGE_TAG_PATTERN,
        description="Unique image tag; without it, the Airflow version. A moving tag leaves stale workers.",
    )


class ReplicaSettings(Model):
    """Replicas that differ from the size's own; absent means the size decides."""

    scheduler: int | None = Field(default=None, ge=1, le=10, description="Schedulers.")
    api_server: int | None = Field(
        default=None, ge=1, le=20, description="API servers (UI, REST, task execution)."
    )
    dag_processor: int | None = Field(default=None, ge=1, le=10, description="DAG processors.")
    triggerer: int | None = Field(default=None, ge=1, le=20, description="Triggerers.")


class AirflowSettings(Model):
    """Airflow itself: version, image, size and overrides of airflow.cfg."""

    version: str = Field(
        default=versions.AIRFLOW,
        pattern=r"^3\.[0-9]+\.[0-9]+$",
        description="Airflow version of the image; selects the option catalogue that checks overrides.",
    )
    image: ImageSettings = Field(
        default_factory=ImageSettings, description="Container image of all Airflow pods."
    )
    size: Size = Field(
        default=Size.MEDIUM, description="Replicas and resources: a file under charts/values/."
    )
    replicas: ReplicaSettings = Field(
        default_factory=ReplicaSettings, description="Replicas per component where the size's do not fit."
    )
    parallelism: int = Field(
        default=32, ge=1, le=10000, description="Task instances that one scheduler runs at the same time."
    )
    tasks_launch_pods: bool = Field(
        default=False,
        description="Whether tasks may start pods (KubernetesPodOperator). Who may start pods can mount any "
        "Secret of the namespace, the database's too, so it is off.",
    )
    config: dict[ConfigName, dict[ConfigName, str]] = Field(
        default_factory=dict,
        description="Overrides of airflow.cfg, section -> option -> text. Numbers and booleans too are text.",
    )

    @property
    def image_tag(self) -> str:
        """The image tag in use."""
        return self.image.tag or self.version

    @property
    def image_reference(self) -> str:
        """The image as a pod names it, repository:tag."""
        return f"{self.image.repository}:{self.image_tag}"


class DagsSettings(Model):
    """Where DAG files come from."""

    source: DagSource = Field(
        default=DagSource.IMAGE,
        description="image: baked into the image, so that what was tested is what runs; gitSync: a sidecar "
        "follows a reference; gitBundle: Airflow's own versioned bundle.",
    )
    repository: str | None = Field(
        default=None,
        pattern=r"^(https://|ssh://|git@)\S+$",
        description="Git repository; with gitSync and gitBundle.",
    )
    reference: str | None = Field(
        default=None, pattern=REFERENCE_PATTERN, description="Branch, tag or commit to follow."
    )
    subdirectory: str = Field(
        default="dags",
        pattern=r"^([\w-][\w.-]*(/[\w-][\w.-]*)*)?$",
        description="Directory of DAGs within the repository.",
    )
    credentials_secret: DnsLabel | None = Field(
        default=None, description="Name of a Secret in the namespace with the repository's credentials."
    )
    known_hosts: str | None = Field(
        default=None,
        min_length=1,
        description="Host keys of the Git server for gitSync over ssh, lines of known_hosts; without them "
        "anybody on the way could be the server. No secret: `ssh-keyscan HOST`, compared with what its owner "
        "publishes.",
    )

    @field_validator("repository")
    @classmethod
    def _plain_address(cls, value: str | None) -> str | None:
        """Refuse a password in the address, which would stand in values and pods, and variables."""
        if value is not None and _CREDENTIALS.match(value):
            raise PydanticCustomError(
                "repository_password",
                "allowed: an address without a password; put it into a Secret of the namespace, and name "
                "that in dags.credentialsSecret",
            )
        if value is not None and "$" in value:
            raise PydanticCustomError(
                "repository_variable",
                "allowed: an address without a $, which Airflow and Kubernetes read as a variable; write %24",
            )
        return value

    @model_validator(mode="after")
    def _repository_by_source(self) -> Self:
        given = [("repository", self.repository), ("reference", self.reference)]
        wrong: list[tuple[str, object, str]]
        if self.source is DagSource.IMAGE:
            given.append(("credentialsSecret", self.credentials_secret))
            # The default is what a file says that only has the same keys as another one.
            given.append(("subdirectory", None if self.subdirectory == "dags" else self.subdirectory))
            only = "goes with source gitSync or gitBundle"
            wrong = [(key, value, only) for key, value in given if value is not None]
        else:
            needs = f"source {self.source.value} needs it"
            wrong = [(key, value, needs) for key, value in given if not value]
        wrong += self._ssh_mistakes(self.repository or "")
        if wrong:
            raise inconsistent(*wrong)
        return self

    def _ssh_mistakes(self, repository: str) -> list[tuple[str, object, str]]:
        """What a repository over ssh needs, and others must not have: a key, and the keys of the server."""
        mistakes: list[tuple[str, object, str]] = []
        ssh = self.source is not DagSource.IMAGE and over_ssh(repository)
        if ssh and self.credentials_secret is None:
            mistakes.append(
                ("credentialsSecret", None, "a repository over ssh needs it: nobody reads without a key")
            )
        if ssh and self.source is DagSource.GIT_SYNC:
            found = known_hosts_mistake(self.known_hosts or "", repository)
            if found is not None:
                mistakes.append(("knownHosts", None, found))
        elif self.known_hosts is not None:
            allowed = "goes with source gitSync and a repository over ssh"
            if ssh:
                allowed += "; a Git bundle has them in its Connection (docs/change-a-parameter.md)"
            mistakes.append(("knownHosts", None, allowed))
        return mistakes
