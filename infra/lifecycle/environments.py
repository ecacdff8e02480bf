"""What commands know of an environment: its settings before it exists, its exports once it does."""

from __future__ import annotations

from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from infra import config, naming
from infra.cluster_settings import ClusterProjectSettings
from infra.lifecycle import checkout
from infra.lifecycle.errors import LifecycleError
from infra.lifecycle.pulumi_project import PulumiProject
from infra.settings import EnvironmentSettings

# Of the cluster project's parameters, as `infra.config.NAMESPACE` is of the environment's.
CLUSTER_NAMESPACE: Final = "airflow-cluster"


class Exports(BaseModel):
    """The environment's outputs; their names in Pulumi are the camelCase form."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel)

    namespace: str
    release_name: str
    airflow_url: str
    api_server_service: str
    logs_bucket: str
    secrets_prefix: str
    metadata_database_endpoint: str
    cluster_name: str
    region: str
    admin_secret_name: str
    chart_version: str
    airflow_version: str
    # A stack that an earlier version deployed has none until its next deployment.
    key_generations: str = ""

    @classmethod
    def of(cls, stack: str, outputs: dict[str, Any]) -> Self:
        """Take the contract's outputs.

        Raises:
            LifecycleError: the stack was not deployed, or not to its end.
        """
        if not outputs:
            raise LifecycleError(f"{stack} is not deployed.", f"Deploy it with `airflow-env up {stack}`.")
        try:
            return cls.model_validate(outputs)
        except ValidationError as error:
            names = ", ".join(".".join(map(str, item["loc"])) for item in error.errors())
            raise LifecycleError(
                f"{stack} lacks usable outputs ({names}): its last deployment did not reach its end.",
                f"Run `airflow-env up {stack}` again; it resumes.",
            ) from None


def settings(stack: str) -> EnvironmentSettings:
    """The stack's validated settings, read from its file without an engine.

    Raises:
        LifecycleError: there is no such file, or it has mistakes; all of them are in the message.
    """
    values = checkout.environment_files().configuration(stack)
    try:
        return config.parse_file(EnvironmentSettings, config.NAMESPACE, values)
    except config.SettingsError as error:
        raise LifecycleError(str(error), f"Correct Pulumi.{stack}.yaml.") from None


def names(stack: str, chosen: EnvironmentSettings) -> naming.Names:
    """Physical names of an environment of this checkout."""
    project_name = checkout.environment_files().name
    return naming.names_of(project_name, stack, account_id=chosen.account_id, region=chosen.region)


def project() -> PulumiProject:
    """The environment project."""
    return PulumiProject(checkout.environment_files().directory)


def cluster_project() -> PulumiProject:
    """The cluster project of this checkout."""
    return PulumiProject(checkout.cluster_files().directory)


def exports(stack: str) -> Exports:
    """The exports of a deployed stack.

    Raises:
        LifecycleError: it is not deployed.
    """
    return Exports.of(stack, project().outputs(stack))


def sign_on(stack: str) -> str:
    """How people log in where no administrator was made: the sentence for a user, without a password."""
    try:
        oidc = settings(stack).access.oidc
    except LifecycleError:
        oidc = None
    # The file may be gone, or be another one than what is deployed.
    provider = oidc.issuer if oidc else "the provider of its single sign-on"
    return f"People log in by {provider}; there is no password."


def own_cluster_stack(chosen: EnvironmentSettings) -> str | None:
    """Name of the cluster stack that the settings refer to, when it is one of this checkout's own project.

    None for a cluster that is given by name, or that another project makes.
    """
    reference = chosen.cluster.stack
    files = checkout.cluster_files()
    if reference is None or not (files.directory / "Pulumi.yaml").is_file():
        return None
    _, project_name, stack = reference.split("/")
    return stack if project_name == files.name else None


def on_cluster_stack(cluster: str) -> str | None:
    """Name of an environment of this checkout that refers to a cluster stack; None where there is none."""
    for stack in checkout.environment_files().stack_names():
        try:
            if own_cluster_stack(settings(stack)) == cluster:
                return stack
        except LifecycleError:  # its own commands say what is wrong with it
            continue
    return None


def cluster_settings(stack: str) -> ClusterProjectSettings:
    """The validated settings of a stack of this checkout's cluster project, read from its file.

    Raises:
        LifecycleError: there is no such file, or it has mistakes; all of them are in the message.
    """
    files = checkout.cluster_files()
    try:
        return config.parse_file(ClusterProjectSettings, CLUSTER_NAMESPACE, files.configuration(stack))
    except config.SettingsError as error:
        raise LifecycleError(str(error), f"Correct cluster/{files.path(stack).name}.") from None
