"""The provider: the engine's requests to checks, comparisons and lifecycles of the declared types."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from pulumi.provider.experimental import provider as sdk

from embedded.plugins.aws import checking, registry
from embedded.plugins.aws.configuration import Configuration, parse, unsupported
from embedded.plugins.aws.differences import Change, differences
from embedded.plugins.aws.errors import naming
from embedded.plugins.aws.lifecycle import HalfMadeError, Lifecycle
from embedded.plugins.aws.session import Session
from embedded.plugins.common.errors import InitializationError, PluginError
from embedded.plugins.common.values import Values, has_unknown, properties_of, secrets_of, values_of

Result = TypeVar("Result")

THREADS: Final = 32
"""boto3 blocks; the engine asks for as many resources at once as it has independent ones."""

_KINDS: Final = {
    ("add", False): sdk.PropertyDiffKind.ADD,
    ("add", True): sdk.PropertyDiffKind.ADD_REPLACE,
    ("delete", False): sdk.PropertyDiffKind.DELETE,
    ("delete", True): sdk.PropertyDiffKind.DELETE_REPLACE,
    ("update", False): sdk.PropertyDiffKind.UPDATE,
    ("update", True): sdk.PropertyDiffKind.UPDATE_REPLACE,
}


def type_token(urn: str) -> str:
    """The resource's own type in a URN, which lists its parents' types before it."""
    return urn.split("::")[2].split("$")[-1]


def logical_name(urn: str) -> str:
    """The resource's logical name in a URN."""
    return urn.split("::", 3)[3]


class AwsProvider(sdk.Provider):
    """pulumi-aws's protocol over the declared types."""

    def __init__(self) -> None:
        self._session = Session(Configuration())
        self._threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="aws")

    async def _in_thread(self, function: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function)

    def _lifecycle(self, urn: str) -> Lifecycle:
        return Lifecycle(registry.resource_type(type_token(urn)), self._session)

    # --- settings ---

    async def check_config(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        """Refuse settings that would do nothing here."""
        failures = unsupported(values_of(request.new_inputs))
        return sdk.CheckResponse(
            inputs=request.new_inputs, failures=[sdk.CheckFailure(*failure) for failure in failures]
        )

    async def diff_config(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        """Settings change in place: resources are compared under the new ones afterwards."""
        old, new = values_of(request.old_state), values_of(request.new_inputs)
        changed = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        return sdk.DiffResponse(changes=bool(changed), diffs=changed)

    async def configure(self, request: sdk.ConfigureRequest) -> sdk.ConfigureResponse:
        """Take the settings and check the account, as the real provider does at this point."""
        values: Values = {name.split(":")[-1]: value for name, value in request.variables.items()}
        values.update(values_of(request.args))
        self._session = Session(parse(values))
        await self._in_thread(self._check_account)
        # Output values with dependencies are not asked for: the engine keeps dependencies itself.
        return sdk.ConfigureResponse(
            accept_secrets=True, supports_preview=True, accept_resources=False, accept_outputs=False
        )

    def _check_account(self) -> None:
        settings = self._session.configuration
        limited = settings.allowed_accounts or settings.forbidden_accounts
        if settings.skip_credentials_validation and (settings.skip_requesting_account or not limited):
            return
        with naming("checking credentials for", "pulumi:providers:aws", "provider"):
            account = self._session.account
        if settings.allowed_accounts and account not in settings.allowed_accounts:
            allowed = ", ".join(settings.allowed_accounts)
            raise PluginError(f"AWS account ID not allowed: {account} (allowedAccountIds: {allowed})")
        if account in settings.forbidden_accounts:
            raise PluginError(f"AWS account ID not allowed: {account} (forbiddenAccountIds names it)")

    # --- resources ---

    async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        """Checked inputs, or every mistake in them."""
        kind = registry.resource_type(type_token(request.urn))
        name = logical_name(request.urn)
        news, olds = values_of(request.new_inputs), values_of(request.old_inputs)
        checked, failures = checking.check(kind, name, news, olds, request.random_seed)
        secrets = secrets_of(request.new_inputs)
        return sdk.CheckResponse(
            inputs=properties_of(checked, secrets),
            failures=[sdk.CheckFailure(*failure) for failure in failures],
        )

    async def diff(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        """What would change, in place or by replacement."""
        kind = registry.resource_type(type_token(request.urn))
        state, inputs = values_of(request.old_state), values_of(request.new_inputs)
        found = differences(kind, state, inputs, self._session.configuration.default_tags)
        replaces = set(found.replaces)
        return sdk.DiffResponse(
            changes=bool(found.changed),
            replaces=list(found.replaces),
            diffs=list(found.changed),
            detailed_diff={
                path: sdk.PropertyDiff(_kind_of(path, change, replaces), input_diff=False)
                for path, change in found.detailed.items()
            },
            delete_before_replace=found.delete_first,
        )

    async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse:
        """Make the resource, or plan to."""
        lifecycle, inputs = self._lifecycle(request.urn), values_of(request.properties)
        secrets = self._secrets(lifecycle, request.properties)
        if request.preview:
            return sdk.CreateResponse(properties=properties_of(lifecycle.planned(inputs, None), secrets))
        name = logical_name(request.urn)
        try:
            made, state = await self._in_thread(lambda: lifecycle.create(name, inputs, request.timeout))
        except HalfMadeError as error:
            raise InitializationError(
                str(error), error.resource_id, properties_of(error.state, secrets), request.properties
            ) from error
        return sdk.CreateResponse(resource_id=made, properties=properties_of(state, secrets))

    async def read(self, request: sdk.ReadRequest) -> sdk.ReadResponse:
        """What AWS holds; an empty answer when it is gone."""
        lifecycle, name = self._lifecycle(request.urn), logical_name(request.urn)
        state, inputs = values_of(request.properties), values_of(request.inputs)
        found = await self._in_thread(lambda: lifecycle.read(name, request.resource_id, state, inputs))
        if found is None:
            return sdk.ReadResponse()
        secrets = self._secrets(lifecycle, {**request.properties, **request.inputs})
        return sdk.ReadResponse(
            resource_id=request.resource_id,
            properties=properties_of(found[0], secrets),
            inputs=properties_of(found[1], secrets),
        )

    async def update(self, request: sdk.UpdateRequest) -> sdk.UpdateResponse:
        """Change the resource in place, or plan to."""
        lifecycle, name = self._lifecycle(request.urn), logical_name(request.urn)
        state, inputs = values_of(request.olds), values_of(request.news)
        secrets = self._secrets(lifecycle, request.news)
        if request.preview:
            return sdk.UpdateResponse(properties=properties_of(lifecycle.planned(inputs, state), secrets))
        updated = await self._in_thread(
            lambda: lifecycle.update(name, request.resource_id, state, inputs, request.timeout)
        )
        return sdk.UpdateResponse(properties=properties_of(updated, secrets))

    async def delete(self, request: sdk.DeleteRequest) -> None:
        """Remove the resource."""
        lifecycle, name = self._lifecycle(request.urn), logical_name(request.urn)
        state = values_of(request.properties)
        await self._in_thread(lambda: lifecycle.delete(name, request.resource_id, state, request.timeout))

    @staticmethod
    def _secrets(lifecycle: Lifecycle, properties: Any) -> set[str]:
        """Outputs that are secret: those whose input is, and those the type declares."""
        found = {*secrets_of(properties), *lifecycle.kind.secret_outputs}
        found.update(name for name, declared in lifecycle.kind.properties.items() if declared.secret)
        if "tags" in found:
            found.add("tagsAll")
        return found

    # --- functions ---

    async def invoke(self, request: sdk.InvokeRequest) -> sdk.InvokeResponse:
        """Answer a data source."""
        from embedded.plugins.aws.functions import function

        arguments = values_of(request.args)
        if has_unknown(arguments):
            raise PluginError(f"{request.tok} needs arguments that are known")
        session = self._session

        def answer() -> Values:
            with naming("calling", request.tok, "invoke"):
                return function(request.tok)(session, arguments)

        return sdk.InvokeResponse(return_value=properties_of(await self._in_thread(answer)))


def _kind_of(path: str, change: Change, replaces: set[str]) -> sdk.PropertyDiffKind:
    top = path.split(".")[0].split("[")[0]
    return _KINDS[(change, top in replaces)]
