"""The `aws` plugin: its settings, the account behind them, resources of declared types, and functions."""

import threading

from embedded.plugins.aws import registry
from embedded.plugins.aws.configuration import Configuration, parse, unsupported
from embedded.plugins.aws.errors import naming
from embedded.plugins.aws.resource_operations import ResourceOperations
from embedded.plugins.aws.session import Session
from embedded.plugins.common.errors import PluginError
from embedded.plugins.common.operations import Failures, Operations, SettingsDifference
from embedded.plugins.common.properties import Properties
from embedded.plugins.common.values import has_unknown


class AwsPlugin:
    """Implements `Plugin` over one account."""

    name = "aws"
    autonaming = False

    def __init__(self) -> None:
        self._session = Session(Configuration())

    def check_settings(self, inputs: Properties) -> Failures:
        """Refuse settings that would do nothing here."""
        return unsupported(inputs.values)

    def compare_settings(self, old: Properties, new: Properties) -> SettingsDifference:
        """Settings change in place: resources are compared under the new ones afterwards."""
        names = {*old.values, *new.values}
        return SettingsDifference(
            sorted(name for name in names if old.values.get(name) != new.values.get(name))
        )

    def configure(self, inputs: Properties, cancelled: threading.Event) -> None:
        """Take the settings and check the account, as the real provider does at this point."""
        self._session = Session(parse(inputs.values), cancelled)
        self._check_account()

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

    def operations(self, resource_type: str) -> Operations:
        """The operations of a declared type."""
        return ResourceOperations(registry.resource_type(resource_type), self._session)

    def invoke(self, token: str, arguments: Properties) -> Properties:
        """Answer a data source."""
        from embedded.plugins.aws.functions import function

        if has_unknown(arguments.values):
            raise PluginError(f"{token} needs arguments that are known")
        with naming("calling", token, "invoke"):
            return Properties(function(token)(self._session, arguments.values))
