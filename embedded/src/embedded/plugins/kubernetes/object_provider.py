"""Objects of any kind: check, diff, create, read, update and delete by server-side apply."""

from embedded.plugins.common.differences import Difference, Kind, differences, with_replacements
from embedded.plugins.common.engine_log import StatusLine
from embedded.plugins.common.errors import InitializationError, PluginError
from embedded.plugins.common.naming import NameSource
from embedded.plugins.common.operations import Checked, Compared, Context, Known, Stored
from embedded.plugins.common.properties import JsonMap, Properties, Unknown, value_at
from embedded.plugins.kubernetes import object_state
from embedded.plugins.kubernetes.api_errors import ApiError, UnreachableError
from embedded.plugins.kubernetes.apply import Applier, Target, field_manager, is_owned
from embedded.plugins.kubernetes.cluster import Cluster
from embedded.plugins.kubernetes.discovery import ApiResource, UnknownKindError
from embedded.plugins.kubernetes.immutable_fields import immutable_fields
from embedded.plugins.kubernetes.kinds import ObjectKind, kind_of
from embedded.plugins.kubernetes.naming import is_autonamed, with_name
from embedded.plugins.kubernetes.object_preview import ObjectPreview
from embedded.plugins.kubernetes.waiting import readiness, wait_for
from embedded.plugins.kubernetes.waiting.patience import Patience, timeout_seconds
from embedded.plugins.kubernetes.waiting.until_ready import SKIP_AWAIT_ANNOTATION, NotReadyError

REPLACE_UNREADY_ANNOTATION = "pulumi.com/replaceUnready"
PROPAGATION_ANNOTATION = "pulumi.com/deletionPropagationPolicy"
_PROPAGATION = {"foreground": "Foreground", "background": "Background", "orphan": "Orphan"}

DELETE_UNREACHABLE_HINT = (
    "; if the cluster is gone for good, run again with PULUMI_K8S_DELETE_UNREACHABLE=true "
    "to drop its resources from the state"
)


class ObjectOperations:
    """Implements `Operations` for every type that is an object of the API server."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._applier = Applier(cluster)

    def check(
        self, context: Context, old_inputs: Properties, inputs: Properties, names: NameSource
    ) -> Checked:
        """Complete name and namespace; the server judges the rest in the preview's dry run."""
        kind = kind_of(context.resource_type)
        if self._cluster.settings.skip_update_unreachable and not self._is_reachable():
            context.log.warning(
                context.urn,
                "the cluster does not answer; the resource is left as it is (skipUpdateUnreachable)",
            )
            return Checked(old_inputs)
        values = dict(inputs.values)
        values["apiVersion"], values["kind"] = kind.api_version, kind.kind
        metadata = values.get("metadata")
        if metadata is not None and not isinstance(metadata, dict | Unknown):
            return Checked(inputs, [("metadata", "metadata is an object with name, labels and the like")])
        try:
            _criteria(values)
        except ValueError as error:
            return Checked(inputs, [("metadata", f"annotation {wait_for.ANNOTATION}: {error}")])
        values = with_name(values, old_inputs.values, names)
        values = self._with_namespace(kind, values)
        checked = Properties(values, inputs.secrets)
        if (kind.group, kind.kind) == ("", "Secret"):
            checked = checked.marked(("data",), ("stringData",))
        return Checked(checked)

    def _is_reachable(self) -> bool:
        try:
            self._cluster.check_reachable()
        except UnreachableError:
            return False
        return True

    def _with_namespace(self, kind: ObjectKind, values: JsonMap) -> JsonMap:
        metadata = values.get("metadata")
        if not isinstance(metadata, dict) or metadata.get("namespace") or not self._is_namespaced(kind):
            return values
        return {**values, "metadata": {**metadata, "namespace": self._cluster.default_namespace}}

    def _is_namespaced(self, kind: ObjectKind) -> bool:
        known = kind.is_namespaced
        if known is not None:
            return known
        try:
            return self._cluster.discovery.resource(kind).namespaced
        except (UnknownKindError, UnreachableError):
            # A custom kind that is still to be defined; most live in namespaces.
            return True

    def diff(self, context: Context, known: Known, inputs: Properties) -> Compared:
        """Compare what the program wrote with what it writes now; drift comes in through refresh."""
        kind = kind_of(context.resource_type)
        settings = self._cluster.settings
        rules = immutable_fields(
            kind,
            frozen=any(side.values.get("immutable") is True for side in (known.inputs, inputs)),
            config_map_mutable=settings.config_map_mutable,
            secret_mutable=settings.secret_mutable,
        )
        old, new = (object_state.without_nulls(side.values) for side in (known.inputs, inputs))
        found = with_replacements(differences(old, new), rules)
        found += self._unready(kind, known, inputs)
        replaced = any(one.replaces for one in found)
        name, namespace = ("metadata", "name"), ("metadata", "namespace")
        same_place = all(
            value_at(known.inputs.values, path) == value_at(inputs.values, path) for path in (name, namespace)
        )
        fixed_name = not is_autonamed(inputs.values)
        return Compared(found, delete_before_replace=replaced and same_place and fixed_name)

    def _unready(self, kind: ObjectKind, known: Known, inputs: Properties) -> list[Difference]:
        """The replacement of a job that is not complete, for programs that ask for it by annotation."""
        path = ("metadata", "annotations", REPLACE_UNREADY_ANNOTATION)
        if (kind.group, kind.kind) != ("batch", "Job") or value_at(inputs.values, path) != "true":
            return []
        namespace, _, name = known.resource_id.rpartition("/")
        try:
            live = self._cluster.client.get(self._cluster.discovery.resource(kind).path(namespace, name))
        except (ApiError, UnreachableError, UnknownKindError):
            return []
        return [] if readiness.job(live).ready else [Difference(path, Kind.UPDATE, replaces=True)]

    def create(self, context: Context, inputs: Properties, timeout: float, preview: bool) -> Stored:
        """Apply a new object and wait until it does its work."""
        target = self._target(context, inputs, field_manager(context.urn))
        if preview:
            outputs = ObjectPreview(self._cluster).create(context, target, inputs)
            return Stored("", outputs, inputs)
        patience = self._patience(context, inputs, timeout)
        status = context.status_line()
        try:
            resource = self._applier.resource(target, status, patience)
            target = self._in_scope(target, resource)
            force = self._take_over(context, target, resource, inputs, status, patience)
            item = object_state.to_server(target.kind, inputs.values)
            live = self._applier.apply_when_possible(resource, target, item, force, status, patience)
        except ApiError as error:
            raise PluginError(f"{target} was not created: {error}") from None
        return self._settled(target, resource, live, inputs, patience, status)

    def _take_over(
        self,
        context: Context,
        target: Target,
        resource: ApiResource,
        inputs: Properties,
        status: StatusLine,
        patience: Patience,
    ) -> bool:
        """Whether to force the apply. Raises PluginError when the object exists and is another's."""
        force = self._applier.is_forced(inputs.values)
        live = self._applier.live(resource, target)
        if live is not None and live["metadata"].get("deletionTimestamp"):
            self._cluster.deletion.until_gone(target.kind, resource, live, patience, status)
            live = None
        if live is None or force or self._cluster.settings.upsert_existing_objects:
            return force
        if is_owned(live, target.manager):
            context.log.info(context.urn, f"{target} is left from a run that was cut off; it is taken over")
            return True
        raise PluginError(
            f"{target} already exists and was not made by this resource; import it "
            f"(import_={target.resource_id!r}), delete it, give the resource another name, or set the "
            'annotation pulumi.com/patchForce: "true" to take it over'
        )

    def _settled(
        self,
        target: Target,
        resource: ApiResource,
        live: JsonMap,
        inputs: Properties,
        patience: Patience,
        status: StatusLine,
    ) -> Stored:
        """The object once it is ready; else raises InitializationError, so that the engine remembers it."""
        failure: PluginError | None = None
        if value_at(inputs.values, ("metadata", "annotations", SKIP_AWAIT_ANNOTATION)) != "true":
            try:
                live = self._cluster.readiness.until_ready(
                    target.kind, resource, live, patience, status, _criteria(inputs.values)
                )
            except NotReadyError as error:
                live, failure = error.live, error
            except PluginError as error:
                failure = error
        outputs = object_state.outputs(target.kind, live, inputs, target.manager)
        if failure is not None:
            raise InitializationError(str(failure), target.resource_id, outputs, inputs) from None
        return Stored(target.resource_id, outputs, inputs)

    def read(self, context: Context, known: Known) -> Stored:
        """The live object; an empty id when it is gone."""
        target = self._known_target(context, known)
        try:
            resource = self._cluster.discovery.resource(target.kind)
            target = self._in_scope(target, resource)
            live = self._applier.live(resource, target)
        except UnknownKindError:
            return Stored("")
        except UnreachableError as error:
            return self._unreachable_read(context, known, error)
        if live is None:
            return Stored("")
        if known.inputs.values:
            inputs = object_state.refreshed_inputs(target.kind, known.inputs, known.outputs.values, live)
        else:
            inputs = object_state.imported_inputs(target.kind, live)
        outputs = object_state.outputs(target.kind, live, inputs, target.manager)
        return Stored(target.resource_id, outputs, inputs)

    def _unreachable_read(self, context: Context, known: Known, error: UnreachableError) -> Stored:
        settings = self._cluster.settings
        if settings.delete_unreachable:
            context.log.warning(context.urn, f"{error}; dropped from the state (deleteUnreachable)")
            return Stored("")
        if settings.skip_update_unreachable:
            context.log.warning(context.urn, f"{error}; its state is kept as it is (skipUpdateUnreachable)")
            return Stored(known.resource_id, known.outputs, known.inputs)
        raise PluginError(f"{error}{DELETE_UNREACHABLE_HINT}") from None

    def update(
        self, context: Context, known: Known, inputs: Properties, timeout: float, preview: bool
    ) -> Stored:
        """Apply the changed object and wait until it does its work again."""
        manager = known.outputs.values.get(object_state.FIELD_MANAGER) or field_manager(context.urn)
        target = self._target(context, inputs, manager)
        if preview:
            return Stored(
                known.resource_id, ObjectPreview(self._cluster).update(context, target, inputs), inputs
            )
        patience = self._patience(context, inputs, timeout)
        status = context.status_line()
        try:
            resource = self._applier.resource(target, status, patience)
            target = self._in_scope(target, resource)
            item = object_state.to_server(target.kind, inputs.values)
            live = self._applier.apply(resource, target, item, force=self._applier.is_forced(inputs.values))
        except ApiError as error:
            raise PluginError(f"{target} was not updated: {error}") from None
        return self._settled(target, resource, live, inputs, patience, status)

    def delete(self, context: Context, known: Known, timeout: float) -> None:
        """Delete the object with what it owns, and return when it is gone."""
        target = self._known_target(context, known)
        patience = self._patience(context, known.inputs, timeout)
        try:
            resource = self._cluster.discovery.resource(target.kind)
            target = self._in_scope(target, resource)
            live = self._applier.live(resource, target)
            if live is None:
                return
            options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": _propagation(known)}
            self._cluster.client.request("DELETE", resource.path(target.namespace, target.name), body=options)
            self._cluster.deletion.until_gone(target.kind, resource, live, patience, context.status_line())
        except UnknownKindError:
            return
        except ApiError as error:
            if not error.is_not_found:
                raise PluginError(f"{target} was not deleted: {error}") from None
        except UnreachableError as error:
            if not self._cluster.settings.delete_unreachable:
                raise PluginError(f"{target} was not deleted: {error}{DELETE_UNREACHABLE_HINT}") from None
            context.log.warning(context.urn, f"{error}; dropped from the state (deleteUnreachable)")

    def _target(self, context: Context, inputs: Properties, manager: str) -> Target:
        kind = kind_of(context.resource_type)
        metadata = inputs.values.get("metadata") or {}
        if isinstance(metadata, Unknown):
            return Target(kind, None, "", manager)
        return Target(kind, metadata.get("namespace"), metadata.get("name", ""), manager)

    def _known_target(self, context: Context, known: Known) -> Target:
        """The object by its id; ids of namespaced objects may leave the default namespace out."""
        manager = known.outputs.values.get(object_state.FIELD_MANAGER) or field_manager(context.urn)
        namespace, _, name = known.resource_id.rpartition("/")
        return Target(kind_of(context.resource_type), namespace or None, name, manager)

    def _in_scope(self, target: Target, resource: ApiResource) -> Target:
        """The target with the namespace that its kind really has, which a check may only have guessed."""
        namespace = target.namespace or self._cluster.default_namespace
        return Target(target.kind, namespace if resource.namespaced else None, target.name, target.manager)

    def _patience(self, context: Context, inputs: Properties, timeout: float) -> Patience:
        return Patience(timeout_seconds(timeout, inputs.values), context.cancelled)


def _criteria(values: JsonMap) -> list[wait_for.Criterion]:
    """What the program wants to wait for; nothing: the rule of the kind. Raises ValueError."""
    text = value_at(values, ("metadata", "annotations", wait_for.ANNOTATION))
    return [] if text is None or isinstance(text, Unknown) else wait_for.parse(text)


def _propagation(known: Known) -> str:
    wish = value_at(known.inputs.values, ("metadata", "annotations", PROPAGATION_ANNOTATION))
    if wish is None:
        # Only this order makes "gone" mean that its pods are gone too.
        return _PROPAGATION["foreground"]
    if str(wish).lower() not in _PROPAGATION:
        allowed = ", ".join(_PROPAGATION)
        raise PluginError(f"annotation {PROPAGATION_ANNOTATION} is {wish!r}; allowed are {allowed}")
    return _PROPAGATION[str(wish).lower()]
