"""Type token -> declaration. A service's file is loaded when its first type is used."""

import difflib
from functools import cache
from importlib import import_module
from typing import Final

from embedded.plugins.aws.schema import ResourceType
from embedded.plugins.common.errors import PluginError

MODULES: Final = {
    "cloudwatch": ("cloudwatch", "logs"),
    "ec2": ("ec2", "ec2_routing", "ec2_endpoints", "ec2_security", "ec2_instance"),
    "ecr": ("ecr",),
    "eks": ("eks", "eks_addon", "eks_access"),
    "iam": ("iam",),
    "kms": ("kms",),
    "rds": ("rds", "rds_instance", "rds_snapshot_copy"),
    "s3": ("s3", "s3_settings", "s3_lifecycle", "s3_object"),
    "secretsmanager": ("secretsmanager", "secretsmanager_settings"),
    "sns": ("sns",),
    "vpc": ("ec2_security_rules",),
}
"""Pulumi module -> files under `types` that declare its types."""


@cache
def types_of(module: str) -> dict[str, ResourceType]:
    """Token -> declaration of one file's types."""
    loaded = import_module(f"embedded.plugins.aws.types.{module}")
    declared: tuple[ResourceType, ...] = loaded.TYPES
    return {kind.token: kind for kind in declared}


def resource_type(token: str) -> ResourceType:
    """The declaration of a type; PluginError names the type and those that exist when there is none."""
    package_module = token.split(":")[1].split("/")[0] if token.count(":") == 2 else ""
    known: dict[str, ResourceType] = {}
    for module in MODULES.get(package_module, ()):
        known.update(types_of(module))
        if token in known:
            return known[token]
    if not known:
        modules = ", ".join(sorted(MODULES))
        raise PluginError(
            f"resource type {token} is not emulated by the embedded cloud; it emulates types of: {modules}"
        )
    nearest = difflib.get_close_matches(token, known, n=1)
    hint = f"; did you mean {nearest[0]}?" if nearest else ""
    listed = ", ".join(sorted(known))
    raise PluginError(f"resource type {token} is not emulated by the embedded cloud{hint} Emulated: {listed}")


def all_types() -> dict[str, ResourceType]:
    """Every declared type by its token."""
    found: dict[str, ResourceType] = {}
    for modules in MODULES.values():
        for module in modules:
            found.update(types_of(module))
    return found
