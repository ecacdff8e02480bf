"""The declarations against the pinned SDK: its classes are what programs write."""

import importlib
import inspect
import re
import typing
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import pytest
from embedded.plugins.aws import functions, registry
from embedded.plugins.aws.schema import Property
from pulumi import _types

# The SDK warns of its own deprecated classes while it loads its modules, which happens at first use.
pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("ignore:.* has been deprecated in favor of:DeprecationWarning"),
]

TYPES = sorted(registry.all_types())


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"pulumi_aws.{name}" if name != "index" else "pulumi_aws")


def _class(token: str) -> Any:
    _, path, name = token.split(":")
    return getattr(_module(path.split("/")[0]), name)


def _state_types(cls: Any) -> dict[str, Any]:
    """Every property's type by its Pulumi name, from the class that the SDK uses for look-ups."""
    module = importlib.import_module(cls.__module__)
    return _types.input_type_types(getattr(module, f"_{cls.__name__}State"))


def _nested(annotation: Any) -> Any | None:
    """The argument class inside an annotation such as Input[Sequence[Input[XArgs]]]."""
    if inspect.isclass(annotation) and _types.is_input_type(annotation):
        return annotation
    for part in typing.get_args(annotation):
        found = _nested(part)
        if found is not None:
            return found
    return None


def _strangers(fields: Mapping[str, Property], cls: Any, path: str) -> list[str]:
    """Declared nested properties that the SDK's class does not have."""
    types, found = _types.input_type_types(cls), []
    for name, declared in fields.items():
        if name not in types:
            found.append(f"{path}.{name}")
        elif declared.fields:
            found += _strangers(declared.fields, _nested(types[name]), f"{path}.{name}")
    return found


@pytest.mark.parametrize("token", TYPES)
def test_token_is_the_sdks(token: str) -> None:
    assert _class(token).pulumi_type == token


@pytest.mark.parametrize("token", TYPES)
def test_every_declared_input_is_an_input_of_the_sdk(token: str) -> None:
    kind, cls = registry.resource_type(token), _class(token)
    inputs = inspect.signature(cls._internal_init).parameters
    names = _types.resource_pulumi_to_py_names(cls)
    assert [name for name in kind.all_properties if names.get(name) not in inputs] == []


@pytest.mark.parametrize("token", TYPES)
def test_every_declared_output_is_an_output_of_the_sdk(token: str) -> None:
    names = _types.resource_pulumi_to_py_names(_class(token))
    assert sorted(registry.resource_type(token).all_outputs - set(names)) == []


@pytest.mark.parametrize("token", TYPES)
def test_every_declared_nested_property_is_the_sdks(token: str) -> None:
    kind, types = registry.resource_type(token), _state_types(_class(token))
    strangers = [
        stranger
        for name, declared in kind.properties.items()
        if declared.fields
        for stranger in _strangers(declared.fields, _nested(types[name]), name)
    ]
    assert strangers == []


@pytest.mark.parametrize("token", TYPES)
def test_what_the_sdk_makes_secret_is_secret_here(token: str) -> None:
    kind = registry.resource_type(token)
    source = inspect.getsource(_class(token))
    marker = "additional_secret_outputs=["
    listed = source.split(marker)[1].split("]")[0] if marker in source else ""
    by_sdk = {name.strip().strip('"') for name in listed.split(",") if name.strip()}
    assert by_sdk & set(kind.all_properties) <= set(kind.secret_outputs)


@pytest.mark.parametrize("token", TYPES)
def test_a_type_without_an_update_call_has_nothing_to_update(token: str) -> None:
    kind = registry.resource_type(token)
    changeable = [
        name
        for name, declared in kind.properties.items()
        if not declared.fixed and not (declared.write_only and declared.aws is None)
    ]
    assert kind.update is not None or changeable == []


def _said(token: str) -> dict[str, str]:
    """What the SDK's page says of each input, by its Pulumi name."""
    cls = _class(token)
    text = inspect.getdoc(cls._internal_init) or inspect.getdoc(cls.__init__) or ""
    args = getattr(importlib.import_module(cls.__module__), f"{cls.__name__}Args")
    text += "\n" + (inspect.getdoc(args.__init__) or "")
    pulumi_names = {python: name for name, python in _types.resource_pulumi_to_py_names(cls).items()}
    parts = re.split(r":param [^:]*? (\w+): ", text)
    return {
        pulumi_names.get(python, python): said for python, said in zip(parts[1::2], parts[2::2], strict=True)
    }


REPLACES = re.compile(r"forces? (a )?new|forces? (the )?re-?creation|forces? replacement", re.IGNORECASE)
# A new endpoint only where the type is not Interface, and no other type has private names at all.
IN_PLACE_AFTER_ALL = {"aws:ec2/vpcEndpoint:VpcEndpoint": frozenset({"privateDnsEnabled"})}
DEFAULT = re.compile(r"[Dd]efaults? (?:to|is|value is) `([^`]+)`")


@pytest.mark.parametrize("token", TYPES)
def test_what_the_page_says_forces_a_new_resource_is_fixed(token: str) -> None:
    kind = registry.resource_type(token)
    said = {name for name, text in _said(token).items() if REPLACES.search(text)}
    said -= IN_PLACE_AFTER_ALL.get(token, frozenset())
    assert sorted(name for name in said & set(kind.properties) if not kind.properties[name].fixed) == []


@pytest.mark.parametrize("token", TYPES)
def test_a_declared_default_is_the_pages(token: str) -> None:
    kind, pages = registry.resource_type(token), {}
    for name, text in _said(token).items():
        found = DEFAULT.search(text)
        if found and name in kind.properties and kind.properties[name].default is not None:
            pages[name] = found[1].strip('"')
    declared = {name: _as_text(kind.properties[name].default) for name in pages}
    assert declared == pages


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_the_pages_are_read_at_all() -> None:
    """The two tests above pass for nothing when the SDK words its pages otherwise."""
    texts = [text for token in TYPES for text in _said(token).values()]
    assert sum(bool(REPLACES.search(text)) for text in texts) >= 3
    assert sum(bool(DEFAULT.search(text)) for text in texts) > 40


@pytest.mark.parametrize("token", TYPES)
def test_every_type_names_its_page(token: str) -> None:
    assert re.fullmatch(r"https://registry\.terraform\.io/\S+/resources/[a-z0-9_]+", _kind_page(token))


def _kind_page(token: str) -> str:
    return registry.resource_type(token).documentation


@pytest.mark.parametrize("token", sorted(functions.all_functions()))
def test_function_tokens_are_the_sdks(token: str) -> None:
    path, name = token.split(":")[1:]
    python_name = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    assert f"'{token}'" in inspect.getsource(getattr(_module(path.split("/")[0]), python_name))
