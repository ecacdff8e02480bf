"""What a preview can know: the server's answer to a dry run, if it can be asked and the inputs are known."""

from embedded.plugins.common.errors import PluginError
from embedded.plugins.common.operations import Context
from embedded.plugins.common.properties import JsonMap, Properties, has_unknown
from embedded.plugins.kubernetes import object_state
from embedded.plugins.kubernetes.api_errors import ApiError, UnreachableError
from embedded.plugins.kubernetes.apply import Applier, ConflictError, Target, is_owned
from embedded.plugins.kubernetes.cluster import Cluster
from embedded.plugins.kubernetes.discovery import UnknownKindError

# The object of that name may be there still: the one that a replacement is about to delete.
_STAND_IN_SUFFIX = "-preview"


class ObjectPreview:
    """Foretells creations and updates in one cluster without changing anything."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._applier = Applier(cluster)

    def create(self, context: Context, target: Target, inputs: Properties) -> Properties:
        """Outputs of a creation as far as they are known. Raises PluginError for what the server refuses."""
        if has_unknown(inputs.values):
            return inputs
        try:
            resource = self._cluster.discovery.resource(target.kind)
            live = self._applier.live(resource, target)
            if live is not None and not is_owned(live, target.manager):
                self._warn_of_existing(context, target, live)
            item = object_state.to_server(target.kind, inputs.values)
            answer = self._create_dry_run(target, item)
        except (UnknownKindError, UnreachableError):
            return inputs
        except ApiError as error:
            if self._says_nothing(error):
                return inputs
            raise PluginError(f"{target}: the API server would refuse it: {error}") from None
        return object_state.preview_outputs(target.kind, answer, inputs, target.manager)

    def _create_dry_run(self, target: Target, item: JsonMap) -> JsonMap:
        resource = self._cluster.discovery.resource(target.kind)
        try:
            return self._applier.apply(resource, target, item, force=True, dry_run=True)
        except ApiError as error:
            if "immutable" not in str(error):
                raise
        stand_in = Target(target.kind, target.namespace, f"{target.name}{_STAND_IN_SUFFIX}", target.manager)
        renamed = {**item, "metadata": {**item["metadata"], "name": stand_in.name}}
        answer = self._applier.apply(resource, stand_in, renamed, force=True, dry_run=True)
        return {**answer, "metadata": {**answer["metadata"], "name": target.name}}

    def _warn_of_existing(self, context: Context, target: Target, live: JsonMap) -> None:
        if live["metadata"].get("deletionTimestamp") or self._applier.is_forced(live):
            return
        if not self._cluster.settings.upsert_existing_objects:
            context.log.warning(
                context.urn,
                f"{target} exists already; unless this run deletes it first, its creation will fail",
            )

    def update(self, context: Context, target: Target, inputs: Properties) -> Properties:
        """Outputs of an update as far as they are known. Raises PluginError for what the server refuses."""
        if has_unknown(inputs.values):
            return inputs
        item = object_state.to_server(target.kind, inputs.values)
        try:
            resource = self._cluster.discovery.resource(target.kind)
            forced = self._applier.is_forced(inputs.values)
            answer = self._applier.apply(resource, target, item, force=forced, dry_run=True)
        except (UnknownKindError, UnreachableError):
            return inputs
        except ConflictError as error:
            context.log.warning(context.urn, str(error))
            return inputs
        except ApiError as error:
            if self._says_nothing(error):
                return inputs
            raise PluginError(f"{target}: the API server would refuse the update: {error}") from None
        return object_state.preview_outputs(target.kind, answer, inputs, target.manager)

    def _says_nothing(self, error: ApiError) -> bool:
        """Refusals that tell of the preview and not of the object.

        Its namespace may be made in the same run; webhooks without dry run answer 400; whoever previews
        may lack the right to write.
        """
        no_dry_run = error.code == 400 and "dry run" in str(error).lower()
        return error.is_missing_namespace or error.is_not_found or error.code == 403 or no_dry_run
