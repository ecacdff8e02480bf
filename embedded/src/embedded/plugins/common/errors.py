"""Errors that a plugin hands to the engine, which shows their text to the user as it is."""

from embedded.plugins.common.properties import Properties


class PluginError(Exception):
    """A failure with a text for the user: what was done to what, and what the service said."""


class InitializationError(PluginError):
    """The resource exists, yet a later step failed; the engine must remember that it exists.

    The engine saves id and state, and offers the resource for update instead of creating a second one.
    """

    def __init__(
        self,
        message: str,
        resource_id: str,
        properties: Properties,
        inputs: Properties,
    ) -> None:
        super().__init__(message)
        self.resource_id = resource_id
        self.properties = properties
        self.inputs = inputs
