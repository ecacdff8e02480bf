"""Settings moto reads from the environment when it is first imported, and what is kept out of its memory.

`apply()` must run before anything imports moto's service modules.
"""

import os
from typing import Any

_ENVIRONMENT = {
    # AdministratorAccess and the other policies of AWS exist, so that attaching a misspelt one fails.
    "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
    # Nobody starts EC2 instances here; the image list costs memory in every region.
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
    # A browser never calls this API.
    "MOTO_DISABLE_GLOBAL_CORS": "true",
    # moto's in-memory limit for S3 objects is not used: bodies are on disk (object_bodies).
    "MOTO_ALLOW_NONEXISTENT_REGION": "false",
}


def apply() -> None:
    """Set the environment and keep moto from holding what nobody looks at."""
    os.environ.update(_ENVIRONMENT)
    _import_ec2_without_catalogues()
    import moto.core.common_models as common_models
    import moto.iam.models as iam_models

    # One partition instead of seven: each one holds its own copy of AWS's managed policies (30 MiB).
    iam_models.PARTITION_NAMES = ["aws"]  # type: ignore[attr-defined]

    # moto's dashboard keeps every object ever made, deleted ones too; nothing here shows the dashboard.
    def new_untracked(cls: type, *_: Any, **__: Any) -> Any:
        return object.__new__(cls)

    common_models.BaseModel.__new__ = new_untracked  # type: ignore[method-assign]


def _import_ec2_without_catalogues() -> None:
    """Import moto's EC2 without its lists of instance types and images: 100 MiB and 2 s for nothing here.

    DescribeInstanceTypes and DescribeImages then answer with nothing; no instance is ever started here.
    """
    import moto.utilities.utils as utilities

    load_resource = utilities.load_resource

    def load_small(resource: str) -> Any:
        if "instance_type_offerings" in resource:
            return []
        if resource in ("ec2/resources/instance_types.json", "ec2/resources/amis.json"):
            return {} if "types" in resource else []
        return load_resource(resource)

    utilities.load_resource = load_small
    try:
        import moto.ec2.models  # noqa: F401 - imported for its effect on sys.modules
    finally:
        utilities.load_resource = load_resource
