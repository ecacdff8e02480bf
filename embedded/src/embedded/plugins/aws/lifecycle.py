"""Create, read, update and delete a resource of any declared type."""

from collections.abc import Mapping
from typing import Any

from embedded.plugins.aws.call import Call
from embedded.plugins.aws.checking import DEFAULTS_MARK
from embedded.plugins.aws.differences import differences
from embedded.plugins.aws.documents import absent
from embedded.plugins.aws.errors import code_of, naming
from embedded.plugins.aws.schema import ResourceType
from embedded.plugins.aws.session import Session
from embedded.plugins.aws.tagging import all_tags, own_tags, update_tags
from embedded.plugins.common.errors import PluginError
from embedded.plugins.common.values import UNKNOWN, Values


class HalfMadeError(PluginError):
    """The resource exists under `resource_id`, yet is not finished; `state` is what is known of it."""

    def __init__(self, message: str, resource_id: str, state: Values) -> None:
        super().__init__(message)
        self.resource_id = resource_id
        self.state = state


class Lifecycle:
    """The operations of one resource type under one session."""

    def __init__(self, kind: ResourceType, session: Session) -> None:
        self.kind = kind
        self.session = session

    def _call(self, values: Values, **more: Any) -> Call:
        region = "" if not self.kind.regional else str(values.get("region") or self.session.region)
        return Call(kind=self.kind, session=self.session, region=region, values=values, **more)

    def _with_tags(self, inputs: Values) -> Values:
        plain = {name: value for name, value in inputs.items() if name != DEFAULTS_MARK}
        if self.kind.tags is None:
            return plain
        return {**plain, "tagsAll": all_tags(self.session.configuration.default_tags, inputs)}

    def planned(self, inputs: Values, state: Values | None) -> Values:
        """Outputs of a preview: known ones as they will be, the rest UNKNOWN."""
        promised = dict(state or {})
        for name, declared in self.kind.all_properties.items():
            if name not in inputs and not declared.computed:
                promised.pop(name, None)
        promised.update(self._with_tags(inputs))
        if state is not None:
            return {**promised, **dict.fromkeys(self.kind.volatile, UNKNOWN)}
        for name in self.kind.all_outputs:
            promised.setdefault(name, UNKNOWN)
        for name, declared in self.kind.all_properties.items():
            if declared.computed:
                promised.setdefault(name, UNKNOWN)
        if self.kind.regional and promised.get("region") is UNKNOWN:
            promised["region"] = self.session.region
        return promised

    def create(self, name: str, inputs: Values, timeout_seconds: float = 0.0) -> tuple[str, Values]:
        """Make the resource; its id and state.

        Raises PluginError with AWS's own words, or HalfMadeError when it exists but a later step failed.
        """
        values = self._with_tags(inputs)
        call = self._call(values, timeout_seconds=timeout_seconds)
        with naming("creating", self.kind.token, name):
            resource_id = self.kind.create(call)
        try:
            with naming("creating", self.kind.token, name):
                made = self._call(values, id=resource_id, timeout_seconds=timeout_seconds)
                if self.kind.settled is not None:
                    self.kind.settled(made)
                return resource_id, self._state(made, values)
        except PluginError as error:
            raise HalfMadeError(str(error), resource_id, values) from error

    def update(
        self, name: str, resource_id: str, state: Values, inputs: Values, timeout_seconds: float = 0.0
    ) -> Values:
        """Change the resource in place to the new inputs; its new state."""
        defaults = self.session.configuration.default_tags
        changed = frozenset(differences(self.kind, state, inputs, defaults).changed)
        values = self._with_tags(inputs)
        call = self._call(values, id=resource_id, old=state, changed=changed, timeout_seconds=timeout_seconds)
        with naming("updating", self.kind.token, name):
            if self.kind.update is not None:
                self.kind.update(call)
            if "tagsAll" in changed:
                update_tags(self.kind, call)
            return self._state(call, values)

    def delete(self, name: str, resource_id: str, state: Values, timeout_seconds: float = 0.0) -> None:
        """Remove the resource; one that is gone already is no failure."""
        call = self._call(state, id=resource_id, timeout_seconds=timeout_seconds)
        with naming("deleting", self.kind.token, name):
            try:
                self.kind.delete(call)
            except Exception as error:
                if code_of(error) not in self.kind.gone:
                    raise

    def read(
        self, name: str, resource_id: str, state: Values, inputs: Values
    ) -> tuple[Values, Values] | None:
        """What AWS holds now, as state and as inputs that would give it; None when it is gone."""
        with naming("reading", self.kind.token, name):
            call = self._call(state, id=resource_id)
            found = self._found(call)
            if found is None:
                return None
            current = self._finished(call, found, state)
        return current, self._inputs_of(current, inputs)

    def _state(self, call: Call, known: Values) -> Values:
        found = self._found(call)
        if found is None:
            raise PluginError(f"'{call.id}' does not exist right after it was written")
        return self._finished(call, found, known)

    def _found(self, call: Call) -> Values | None:
        try:
            return self.kind.read(call)
        except Exception as error:
            if code_of(error) in self.kind.gone:
                return None
            raise

    def _finished(self, call: Call, found: Values, known: Values) -> Values:
        """AWS's answer, in the program's own spelling where both mean the same, with what AWS never tells."""
        state = {name: value for name, value in found.items() if value is not None}
        if self.kind.regional:
            state["region"] = call.region
        if self.kind.tags is not None:
            actual = self.kind.tags.read(call) if "tagsAll" not in state else state["tagsAll"]
            state["tagsAll"] = actual
            defaults = self.session.configuration.default_tags
            state["tags"] = own_tags(defaults, actual, known.get("tags") or {})
        for name, declared in self.kind.all_properties.items():
            if name not in known:
                if declared.write_only and declared.default is not None:
                    state.setdefault(name, declared.default)
                continue
            if declared.write_only or declared.same(state.get(name), known[name]):
                state[name] = _respelled(state.get(name), known[name])
        return state

    def _inputs_of(self, state: Values, inputs: Mapping[str, Any]) -> Values:
        current: Values = {}
        for name, declared in self.kind.all_properties.items():
            value = state.get(name)
            if name in inputs:
                if value is not None:
                    current[name] = value
                continue
            if not inputs and value is not None and not absent(value):
                current[name] = value  # an import: everything that can be said
            elif not declared.computed and not absent(value) and value != declared.default:
                current[name] = value
        made_up = inputs.get(DEFAULTS_MARK)
        return {**current, **({DEFAULTS_MARK: made_up} if made_up else {})}


def _respelled(found: Any, known: Any) -> Any:
    """The program's spelling of a value, with what AWS computed beside it inside of an object."""
    if isinstance(found, Mapping) and isinstance(known, Mapping):
        return {**found, **{name: _respelled(found.get(name), value) for name, value in known.items()}}
    return known
