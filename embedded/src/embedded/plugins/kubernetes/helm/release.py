"""The inputs of a `helm.v3.Release`: which exist, what is wrong with them, and the flags they become."""

from dataclasses import dataclass
from typing import Any

import yaml

from embedded.plugins.common.naming import NameSource
from embedded.plugins.common.properties import JsonMap, Properties, Unknown, asset_text, value_at
from embedded.plugins.kubernetes.naming import RELEASE_SUFFIX_DIGITS
from embedded.plugins.kubernetes.object_state import without_nulls

DEFAULT_TIMEOUT_SECONDS = 300
"""Source: the official plugin (provider/pkg/provider/helm_release.go)."""

CHECKSUM = "chartChecksum"
"""Input that the check adds for a chart on disk: its content decides whether a release is up to date."""

_BOOLEANS = frozenset(
    {
        "allowNullValues",
        "atomic",
        "cleanupOnFail",
        "createNamespace",
        "dependencyUpdate",
        "devel",
        "disableCRDHooks",
        "disableOpenapiValidation",
        "disableWebhooks",
        "forceUpdate",
        "lint",
        "recreatePods",
        "renderSubchartNotes",
        "replace",
        "resetValues",
        "reuseValues",
        "skipAwait",
        "skipCrds",
        "takeOwnership",
        "verify",
        "waitForJobs",
    }
)
_NUMBERS = frozenset({"timeout", "maxHistory"})
_TEXTS = frozenset({"chart", "name", "namespace", "version", "description", "keyring", "postrender"})
_MAPPINGS = frozenset({"values", "repositoryOpts"})
# Outputs that the SDK accepts as inputs, and its own mark; they mean nothing on the way in.
_IGNORED = frozenset({"resourceNames", "manifest", "compat", "status", CHECKSUM})
_KNOWN = _BOOLEANS | _NUMBERS | _TEXTS | _MAPPINGS | _IGNORED | {"valueYamlFiles"}

Failures = list[tuple[str, str]]


def _matches(name: str, value: Any) -> str | None:
    """What the input should have been, or None when it is that."""
    if isinstance(value, Unknown):
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    for names, fits, wanted in (
        (_BOOLEANS, isinstance(value, bool), "true or false"),
        (_NUMBERS, number and value >= 0, "a number from 0"),
        (_TEXTS, isinstance(value, str), "a text"),
        (_MAPPINGS, isinstance(value, dict), "a mapping"),
    ):
        if name in names and not fits:
            return wanted
    return None


def mistakes(inputs: Properties) -> Failures:
    """Every input that does not exist or is of the wrong kind, and what is missing."""
    failures: Failures = []
    for name, value in sorted(inputs.values.items()):
        if name not in _KNOWN:
            failures.append((name, f"a Release has no input {name}"))
        wanted = _matches(name, value)
        if wanted is not None:
            # The value may be a secret; its kind is told instead.
            failures.append((name, f"{name} must be {wanted}, not a {type(value).__name__}"))
    if not inputs.values.get("chart"):
        failures.append(
            ("chart", "chart is missing: the path of a chart, or its name in repositoryOpts.repo")
        )
    return failures


def completed(
    inputs: Properties, old_inputs: Properties, names: NameSource, namespace: str
) -> tuple[Properties, Failures]:
    """The inputs with name, namespace and time-out, and the values files merged below `values`.

    Raises PluginError when a name is needed and must not be generated.
    """
    values = {name: value for name, value in inputs.values.items() if name not in _IGNORED}
    values["name"] = values.get("name") or old_inputs.values.get("name")
    values["name"] = values["name"] or names.generate(RELEASE_SUFFIX_DIGITS)
    values["namespace"] = values.get("namespace") or namespace
    if values.get("skipAwait") is not True and "timeout" not in values:
        values["timeout"] = DEFAULT_TIMEOUT_SECONDS
    files = values.pop("valueYamlFiles", None) or []
    merged, failures = _values_of_files(files)
    if not isinstance(values.get("values"), Unknown) and (merged or "values" in values):
        values["values"] = merge(merged, values.get("values") or {})
    secrets = set(inputs.secrets)
    if any(path[0] == "valueYamlFiles" for path in secrets):
        secrets.add(("values",))
    present = {path for path in secrets if value_at(values, path) is not None}
    return Properties(values, frozenset(present)), failures


def _values_of_files(files: list[Any]) -> tuple[JsonMap, Failures]:
    merged: JsonMap = {}
    failures: Failures = []
    for asset in files:
        if isinstance(asset, Unknown):
            continue
        try:
            content = yaml.safe_load(asset_text(asset)) or {}
        except (OSError, ValueError, yaml.YAMLError) as error:
            # A parser quotes what it stumbles over, and values may be secret: only the place is told.
            mark = getattr(error, "problem_mark", None)
            reason = f"is not YAML at line {mark.line + 1}" if mark else str(error)
            failures.append(("valueYamlFiles", f"a values file {reason}"))
            continue
        if not isinstance(content, dict):
            failures.append(("valueYamlFiles", "a values file must hold a mapping at its top"))
            continue
        merged = merge(merged, content)
    return merged, failures


def merge(base: JsonMap, over: JsonMap) -> JsonMap:
    """Mappings merged key by key; everything else of `over` takes the place of `base`."""
    merged = dict(base)
    for name, value in over.items():
        below = merged.get(name)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[name] = merge(below, value) if isinstance(below, dict) and both else value
    return merged


@dataclass(frozen=True)
class Release:
    """Checked inputs of a release. All values are known."""

    inputs: JsonMap

    @property
    def name(self) -> str:
        """The release's name."""
        return str(self.inputs["name"])

    @property
    def namespace(self) -> str:
        """Where its objects and its record live."""
        return str(self.inputs["namespace"])

    @property
    def chart(self) -> str:
        """Path, URL or name of the chart, as the program gave it."""
        return str(self.inputs["chart"])

    @property
    def values(self) -> JsonMap:
        """Values over the chart's defaults."""
        return self.inputs.get("values") or {}

    @property
    def timeout_seconds(self) -> int:
        """How long helm may wait for each of its steps; 0 means its default, as in the official plugin."""
        return int(self.inputs.get("timeout") or DEFAULT_TIMEOUT_SECONDS)

    @property
    def waits(self) -> bool:
        """Whether a deployment ends only when its objects are ready."""
        return not self.is_set("skipAwait") or self.is_set("atomic")

    @property
    def repository(self) -> JsonMap:
        """repositoryOpts without nulls."""
        options: JsonMap = without_nulls(self.inputs.get("repositoryOpts") or {})
        return options

    def is_set(self, name: str) -> bool:
        """Whether that boolean input is true."""
        return self.inputs.get(name) is True

    def __str__(self) -> str:
        return f"release {self.namespace}/{self.name}"


def _flags(release: Release, names: dict[str, str]) -> list[str]:
    return [flag for name, flag in names.items() if release.is_set(name)]


def _common_flags(release: Release) -> list[str]:
    flags = ["--timeout", f"{release.timeout_seconds}s"]
    if not release.is_set("skipAwait"):
        flags.append("--wait")
        flags += _flags(release, {"waitForJobs": "--wait-for-jobs"})
    flags += _flags(
        release,
        {
            "atomic": "--atomic",
            "disableWebhooks": "--no-hooks",
            "disableOpenapiValidation": "--disable-openapi-validation",
            "renderSubchartNotes": "--render-subchart-notes",
            "createNamespace": "--create-namespace",
            "skipCrds": "--skip-crds",
            "forceUpdate": "--force",
            "takeOwnership": "--take-ownership",
        },
    )
    if release.inputs.get("description"):
        flags += ["--description", release.inputs["description"]]
    if release.inputs.get("postrender"):
        flags += ["--post-renderer", release.inputs["postrender"]]
    return flags


def install_flags(release: Release) -> list[str]:
    """Flags of `helm install` for the inputs; neither values nor credentials are among them."""
    return _common_flags(release) + _flags(release, {"replace": "--replace"})


def upgrade_flags(release: Release, install: bool = False) -> list[str]:
    """Flags of `helm upgrade`. With `install`, a release without a deployed revision counts as new."""
    flags = _common_flags(release)
    flags += _flags(release, {"cleanupOnFail": "--cleanup-on-fail", "recreatePods": "--recreate-pods"})
    # Without either flag helm keeps the old values whenever the new ones are empty: the last value
    # taken out of a program would stay in force.
    flags.append("--reuse-values" if release.is_set("reuseValues") else "--reset-values")
    flags += ["--history-max", str(int(release.inputs.get("maxHistory") or 0))]
    if release.is_set("disableCRDHooks") and "--no-hooks" not in flags:
        flags.append("--no-hooks")
    return [*flags, "--install"] if install else flags
