"""`kubernetes:helm.sh/v3:Release`: check, diff, create, read, update and delete."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from embedded.plugins.common.differences import differences, with_replacements
from embedded.plugins.common.errors import InitializationError, PluginError
from embedded.plugins.common.naming import NameSource
from embedded.plugins.common.operations import Checked, Compared, Context, Known, Stored
from embedded.plugins.common.properties import Properties, has_unknown
from embedded.plugins.kubernetes.api_client import RETRY_PAUSES_SECONDS
from embedded.plugins.kubernetes.api_errors import ApiError, UnreachableError
from embedded.plugins.kubernetes.cluster import Cluster
from embedded.plugins.kubernetes.helm import chart as charts
from embedded.plugins.kubernetes.helm import records
from embedded.plugins.kubernetes.helm import release as releases
from embedded.plugins.kubernetes.helm.binary import Helm, HelmError
from embedded.plugins.kubernetes.helm.progress import ReleaseProgress
from embedded.plugins.kubernetes.helm.records import Record, Way
from embedded.plugins.kubernetes.helm.release import CHECKSUM, Release
from embedded.plugins.kubernetes.object_provider import DELETE_UNREACHABLE_HINT
from embedded.plugins.kubernetes.object_state import without_nulls
from embedded.plugins.kubernetes.waiting.patience import CancelledError

_REPLACING = (("name",), ("namespace",))


class ReleaseOperations:
    """Implements `Operations` for Helm releases."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._helm = Helm(cluster.settings)

    def check(
        self, context: Context, old_inputs: Properties, inputs: Properties, names: NameSource
    ) -> Checked:
        """Judge and complete the inputs, and find the chart: its version and, on disk, its checksum."""
        failures = releases.mistakes(inputs)
        if failures:
            return Checked(inputs, failures)
        if inputs.values.get("allowNullValues") is True:
            context.log.warning(context.urn, "allowNullValues has no effect: nulls in values are always kept")
        completed, failures = releases.completed(inputs, old_inputs, names, self._cluster.default_namespace)
        if failures:
            return Checked(completed, failures)
        values = dict(completed.values)
        chart_inputs = ("chart", "version", "repositoryOpts")
        if not any(has_unknown(values.get(name)) for name in chart_inputs):
            try:
                chart = charts.find(self._helm, Release(values))
            except PluginError as error:
                return Checked(completed, [("chart", str(error))])
            values["version"] = chart.version
            if chart.checksum is not None:
                values[CHECKSUM] = chart.checksum
        return Checked(Properties(values, completed.secrets))

    def diff(self, context: Context, known: Known, inputs: Properties) -> Compared:  # noqa: ARG002
        """Compare inputs, values included, with those of the last deployment."""
        found = differences(known.inputs.values, inputs.values)
        return Compared(with_replacements(found, _REPLACING))

    def create(self, context: Context, inputs: Properties, timeout: float, preview: bool) -> Stored:
        """Install the release; what a stopped run left of it is taken over or removed first."""
        if preview:
            self._foretell(inputs)
            return Stored("", inputs, inputs)
        release = self._release(inputs, timeout)
        self._cluster.check_reachable()
        record = records.read(self._helm, release.name, release.namespace)
        way = records.way_to_create(release, record)
        if record is not None:
            context.log.warning(context.urn, f"{release} is there with status {record.state}: {way.value}")
        with self._deployment(context, release, inputs):
            if way is Way.REINSTALL:
                self._helm.uninstall(
                    release.name, release.namespace, release.timeout_seconds, context.cancelled
                )
            if way is Way.UPGRADE:
                self._helm.upgrade(release, context.cancelled, install=True)
            else:
                self._helm.install(release, context.cancelled)
        return self._recorded(context, release, inputs)

    def update(
        self, context: Context, known: Known, inputs: Properties, timeout: float, preview: bool
    ) -> Stored:
        """Upgrade the release; an operation that was cut off is cleared away first."""
        if preview:
            self._foretell(inputs)
            return Stored(known.resource_id, inputs, inputs)
        release = self._release(inputs, timeout)
        self._cluster.check_reachable()
        record = records.read(self._helm, release.name, release.namespace)
        with self._deployment(context, release, inputs):
            if record is not None and record.is_pending:
                record = self._clear_pending(context, release, record)
            if record is None:
                self._helm.install(release, context.cancelled)
            else:
                self._helm.upgrade(release, context.cancelled)
        return self._recorded(context, release, inputs)

    def _clear_pending(self, context: Context, release: Release, record: Record) -> Record | None:
        """Undo the mark of an operation that a killed run left; helm would refuse to do anything else."""
        context.log.warning(
            context.urn,
            f"{release} has status {record.state} from a run that was cut off; the mark is removed",
        )
        if record.revision == 1:
            self._helm.uninstall(release.name, release.namespace, release.timeout_seconds, context.cancelled)
            return None
        driver = self._cluster.settings.helm_driver or "secret"
        kind = {"secret": "secrets", "secrets": "secrets", "configmap": "configmaps"}.get(driver)
        if kind is None:
            raise PluginError(f"{release} has status {record.state}; roll it back with `helm rollback`")
        stored_as = f"sh.helm.release.v1.{release.name}.v{record.revision}"
        self._cluster.client.request("DELETE", f"/api/v1/namespaces/{release.namespace}/{kind}/{stored_as}")
        return records.read(self._helm, release.name, release.namespace)

    def _foretell(self, inputs: Properties) -> None:
        """Render the chart with the values, once they are known; helm checks them against its schema."""
        if has_unknown(inputs.values):
            return
        release = Release(inputs.values)
        try:
            path = charts.local_path(release)
            if release.is_set("lint") and path is not None:
                self._helm.lint(release, Path(path))
            self._helm.template(release)
        except UnreachableError:
            return
        except HelmError as error:
            raise PluginError(f"{release}: the chart {release.chart} cannot be rendered: {error}") from None

    def _release(self, inputs: Properties, timeout: float) -> Release:
        """The release; a time-out of the resource's options goes before the input."""
        return Release({**inputs.values, "timeout": int(timeout)} if timeout else inputs.values)

    @contextlib.contextmanager
    def _deployment(self, context: Context, release: Release, inputs: Properties) -> Iterator[None]:
        """Tell what the release waits for while the block runs helm, and why when it fails.

        Raises InitializationError when the release exists afterwards, so that the engine remembers it.
        """
        progress = ReleaseProgress(self._cluster, self._helm, release)
        ended = threading.Event()
        watcher = threading.Thread(target=progress.follow, args=(context.status_line(), ended), daemon=True)
        if release.waits:
            watcher.start()
        try:
            yield
        except CancelledError:
            raise self._failure(release, inputs, f"{release}: cancelled") from None
        except (HelmError, ApiError) as error:
            reasons = progress.explanation()
            waited = f" (after {release.timeout_seconds} s)" if "deadline" in str(error) else ""
            text = f"{release} is not deployed: {error}{waited}" + (f"\n{reasons}" if reasons else "")
            raise self._failure(release, inputs, text) from None
        finally:
            ended.set()
            if watcher.is_alive():
                watcher.join()

    def _failure(self, release: Release, inputs: Properties, text: str) -> PluginError:
        try:
            stored = self._stored(release, inputs)
        except PluginError:
            return PluginError(text)
        return InitializationError(text, stored.resource_id, stored.outputs, inputs)

    def _recorded(self, context: Context, release: Release, inputs: Properties) -> Stored:
        """What helm noted of what it has just done; a server that went meanwhile is waited for."""
        for pause in RETRY_PAUSES_SECONDS:
            try:
                return self._stored(release, inputs)
            except HelmError as error:
                if not error.is_unreachable:
                    raise
            context.cancelled.wait(pause)
        return self._stored(release, inputs)

    def _stored(self, release: Release, inputs: Properties) -> Stored:
        record = records.read(self._helm, release.name, release.namespace)
        if record is None:
            raise PluginError(f"{release}: helm has no record of it")
        outputs = Properties({**inputs.values, **record.outputs()}, inputs.secrets)
        return Stored(f"{release.namespace}/{release.name}", outputs, inputs)

    def read(self, context: Context, known: Known) -> Stored:
        """The release as helm has it; values changed behind the engine's back come back as inputs."""
        namespace, _, name = known.resource_id.rpartition("/")
        namespace = namespace or self._cluster.default_namespace
        try:
            self._cluster.check_reachable()
        except UnreachableError as error:
            return self._unreachable_read(context, known, error)
        record = records.read(self._helm, name, namespace)
        if record is None:
            return Stored("")
        inputs = _refreshed(known.inputs, record) if known.inputs.values else _imported(record)
        outputs = Properties({**inputs.values, **record.outputs()}, inputs.secrets)
        return Stored(f"{namespace}/{name}", outputs, inputs)

    def _unreachable_read(self, context: Context, known: Known, error: UnreachableError) -> Stored:
        if self._cluster.settings.delete_unreachable:
            context.log.warning(context.urn, f"{error}; dropped from the state (deleteUnreachable)")
            return Stored("")
        if self._cluster.settings.skip_update_unreachable:
            context.log.warning(context.urn, f"{error}; its state is kept as it is (skipUpdateUnreachable)")
            return Stored(known.resource_id, known.outputs, known.inputs)
        raise PluginError(f"{error}{DELETE_UNREACHABLE_HINT}") from None

    def delete(self, context: Context, known: Known, timeout: float) -> None:
        """Uninstall the release and wait until its objects are gone."""
        namespace, _, name = known.resource_id.rpartition("/")
        release = self._release(
            Properties({**known.inputs.values, "name": name, "namespace": namespace}), timeout
        )
        status = context.status_line()
        try:
            self._cluster.check_reachable()
            status.show("waiting for helm to uninstall it")
            seconds = release.timeout_seconds if release.waits else None
            self._helm.uninstall(name, namespace, seconds, context.cancelled)
        except UnreachableError as error:
            if not self._cluster.settings.delete_unreachable:
                raise PluginError(f"{release} was not deleted: {error}{DELETE_UNREACHABLE_HINT}") from None
            context.log.warning(context.urn, f"{error}; dropped from the state (deleteUnreachable)")
        except HelmError as error:
            if not error.is_not_found:
                raise PluginError(f"{release} was not deleted: {error}") from None
        status.show("")


def _refreshed(inputs: Properties, record: Record) -> Properties:
    """The inputs with what helm deployed since: other values, or another version of the chart."""
    values = dict(inputs.values)
    secrets = set(inputs.secrets)
    if without_nulls(values.get("values") or {}) != without_nulls(record.values):
        values["values"] = record.values
        if any(path[0] == "values" for path in secrets):
            # Which of the new values are secret nobody can tell.
            secrets.add(("values",))
    if record.metadata.get("version"):
        values["version"] = record.metadata["version"]
    return Properties(values, frozenset(secrets)).with_values(values)


def _imported(record: Record) -> Properties:
    return Properties(
        {
            "name": record.status.get("name"),
            "namespace": record.status.get("namespace"),
            "chart": record.metadata.get("chart"),
            "version": record.metadata.get("version"),
            "values": record.values,
            "timeout": releases.DEFAULT_TIMEOUT_SECONDS,
        }
    )
