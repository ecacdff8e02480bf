"""The type checker reads every module of the Pulumi SDKs that is in use: a skipped one would be Any."""

from __future__ import annotations

import ast
import importlib.util
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SDKS = ("pulumi_aws", "pulumi_kubernetes")


def directory(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def chain(node: ast.Attribute) -> list[str]:
    """`aws.rds.Instance` as its names; empty when it starts with something else than a name."""
    names: list[str] = []
    inner: ast.expr = node
    while isinstance(inner, ast.Attribute):
        names.append(inner.attr)
        inner = inner.value
    return [inner.id, *reversed(names)] if isinstance(inner, ast.Name) else []


def used_modules(source: Path) -> Iterator[str]:
    """Modules of the SDKs that a file gets at through `import SDK as name`."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    names = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name in SDKS
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (found := chain(node)) and found[0] in names:
            package, place = names[found[0]], directory(names[found[0]])
            module = package
            for part in found[1:]:
                place, module = place / part, f"{module}.{part}"
                if place.is_dir():
                    continue
                function = module.removesuffix("_output")
                if place.with_name(f"{function.rsplit('.', 1)[-1]}.py").is_file():
                    yield function
                break
            if module.rsplit(".", 1)[0] != package:
                yield module.rsplit(".", 1)[0]


def test_every_module_in_use_is_read() -> None:
    overrides = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"][
        "overrides"
    ]
    (read,) = [item["module"] for item in overrides if item.get("follow_imports") == "silent"]
    used = {module for source in sorted((ROOT / "infra").rglob("*.py")) for module in used_modules(source)}
    assert {"pulumi_aws.rds", "pulumi_kubernetes.core.v1", "pulumi_aws.get_availability_zones"} <= used
    unread = {
        module
        for module in used
        if not any(fnmatchcase(module, item) or item == f"{module}.*" for item in read)
    }
    assert not unread, "name them in pyproject.toml"
