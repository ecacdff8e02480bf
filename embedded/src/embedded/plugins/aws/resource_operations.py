"""What the engine asks about resources of one type, on top of the checks, comparisons and lifecycle."""

from collections.abc import Iterable

from embedded.plugins.aws import checking
from embedded.plugins.aws.differences import differences
from embedded.plugins.aws.lifecycle import HalfMadeError, Lifecycle
from embedded.plugins.aws.schema import ResourceType
from embedded.plugins.aws.session import Session
from embedded.plugins.common.differences import Difference, Kind, parse_path
from embedded.plugins.common.errors import InitializationError
from embedded.plugins.common.naming import NameSource
from embedded.plugins.common.operations import Checked, Compared, Context, Known, Stored
from embedded.plugins.common.properties import Properties
from embedded.plugins.common.values import Values


class ResourceOperations:
    """Implements `Operations` for one declared type."""

    def __init__(self, kind: ResourceType, session: Session) -> None:
        self._kind = kind
        self._session = session
        self._life = Lifecycle(kind, session)

    def check(
        self,
        context: Context,  # noqa: ARG002 - the protocol's
        old_inputs: Properties,
        inputs: Properties,
        names: NameSource,
    ) -> Checked:
        """Checked inputs, or every mistake in them."""
        checked, failures = checking.check(
            self._kind, names.logical_name, inputs.values, old_inputs.values, names.random_seed
        )
        return Checked(_marked(checked, _tops(inputs)), failures)

    def diff(self, context: Context, known: Known, inputs: Properties) -> Compared:  # noqa: ARG002
        """What would change, in place or by replacement, compared with what AWS held last."""
        defaults = self._session.configuration.default_tags
        found = differences(self._kind, known.outputs.values, inputs.values, defaults)
        replaces = set(found.replaces)
        changes = [(parse_path(path), Kind(change)) for path, change in found.detailed.items()]
        return Compared(
            [Difference(path, change, path[0] in replaces) for path, change in changes],
            delete_before_replace=found.delete_first,
            of_inputs=False,
        )

    def create(self, context: Context, inputs: Properties, timeout: float, preview: bool) -> Stored:
        """Make the resource, or plan to."""
        secrets = self._secrets(inputs)
        if preview:
            return Stored("", _marked(self._life.planned(inputs.values, None), secrets), inputs)
        try:
            made, state = self._life.create(context.name, inputs.values, timeout)
        except HalfMadeError as error:
            state = error.state
            raise InitializationError(
                str(error), error.resource_id, _marked(state, secrets), inputs
            ) from error
        return Stored(made, _marked(state, secrets), inputs)

    def read(self, context: Context, known: Known) -> Stored:
        """What AWS holds; an empty id when it is gone."""
        found = self._life.read(context.name, known.resource_id, known.outputs.values, known.inputs.values)
        if found is None:
            return Stored("")
        secrets = self._secrets(known.outputs, known.inputs)
        return Stored(known.resource_id, _marked(found[0], secrets), _marked(found[1], secrets))

    def update(
        self, context: Context, known: Known, inputs: Properties, timeout: float, preview: bool
    ) -> Stored:
        """Change the resource in place, or plan to."""
        state, secrets = known.outputs.values, self._secrets(inputs)
        if preview:
            planned = self._life.planned(inputs.values, state)
            return Stored(known.resource_id, _marked(planned, secrets), inputs)
        updated = self._life.update(context.name, known.resource_id, state, inputs.values, timeout)
        return Stored(known.resource_id, _marked(updated, secrets), inputs)

    def delete(self, context: Context, known: Known, timeout: float) -> None:
        """Remove the resource."""
        self._life.delete(context.name, known.resource_id, known.outputs.values, timeout)

    def _secrets(self, *given: Properties) -> set[str]:
        """Outputs that are secret: those whose input is, and those the type declares."""
        found = {*self._kind.secret_outputs}.union(*map(_tops, given))
        found.update(name for name, declared in self._kind.properties.items() if declared.secret)
        if "tags" in found:
            found.add("tagsAll")
        return found


def _tops(properties: Properties) -> set[str]:
    """Names of the properties that are secret or hold a secret; AWS's answer may order them otherwise."""
    return {str(path[0]) for path in properties.secrets}


def _marked(values: Values, secrets: Iterable[str]) -> Properties:
    return Properties(values, frozenset((name,) for name in secrets if values.get(name) is not None))
