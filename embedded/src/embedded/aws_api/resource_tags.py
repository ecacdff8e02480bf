"""Tags of a resource by its ARN, for conditions on `aws:ResourceTag/...`."""

from collections.abc import Iterable, Mapping
from typing import Any

from embedded.aws_api import ACCOUNT_ID


def tags_of(arn: str) -> dict[str, str]:
    """The tags of a resource; none for what does not exist or cannot be tagged."""
    _, _, service, region, _, name = (arn.split(":", 5) + [""] * 6)[:6]
    if service == "iam":
        return _iam_tags(arn)
    if service == "ecr":
        return _ecr_tags(region, name.removeprefix("repository/"))
    if service == "eks":
        return _eks_tags(arn, name)
    if service == "rds":
        return _rds_tags(region, arn)
    if service == "ec2":
        return _ec2_tags(region, name)
    return _listed_tags(service, region, arn.removesuffix(":*"))


def pairs(tags: Iterable[Any] | Mapping[str, str] | None) -> dict[str, str]:
    """Tags in any of the forms that AWS's APIs use, as a mapping."""
    if isinstance(tags, Mapping):
        return {str(key): str(value) for key, value in tags.items()}
    found = {}
    for one in tags or ():
        if isinstance(one, Mapping):
            lower = {str(key).lower(): value for key, value in one.items()}
            found[str(lower.get("key") or lower.get("tagkey"))] = str(
                lower.get("value") or lower.get("tagvalue") or ""
            )
    return found


def _iam_tags(arn: str) -> dict[str, str]:
    from moto.iam.models import iam_backends

    iam = iam_backends[ACCOUNT_ID]["aws"]
    owners: tuple[Any, ...] = (*iam.roles.values(), *iam.users.values(), *iam.managed_policies.values())
    found = next((one for one in owners if one.arn == arn), None)
    return pairs(getattr(found, "tags", None))


def _ecr_tags(region: str, name: str) -> dict[str, str]:
    from moto.ecr.models import ecr_backends

    backend = ecr_backends[ACCOUNT_ID][region]
    repository = backend.repositories.get(name)
    return dict(backend.tagger.get_tag_dict_for_resource(repository.arn)) if repository else {}


def _rds_tags(region: str, arn: str) -> dict[str, str]:
    from moto.rds.models import rds_backends

    try:
        return pairs(rds_backends[ACCOUNT_ID][region].list_tags_for_resource(arn))
    except Exception:  # noqa: BLE001 - there is no such resource: the operation itself will say so
        return {}


def _ec2_tags(region: str, name: str) -> dict[str, str]:
    """Of any kind: what the Tagging API lists lacks several of EC2's."""
    from moto.ec2.models import ec2_backends

    identifier = name.rpartition("/")[2]
    tags = ec2_backends[ACCOUNT_ID][region].tags
    return dict(tags[identifier]) if identifier in tags else {}


def _eks_tags(arn: str, name: str) -> dict[str, str]:
    from embedded.aws_api.eks.backend import all_backends

    kind, _, rest = name.partition("/")
    cluster = rest.partition("/")[0]
    for backend in all_backends():
        extra = backend.extras.get(cluster)
        if extra is None:
            continue
        if kind == "cluster":
            return pairs(backend.clusters[cluster].tags)
        if kind == "podidentityassociation":
            return pairs(
                next((one.tags for one in extra.associations.matching(None, None) if one.arn == arn), {})
            )
    return {}


def _listed_tags(service: str, region: str, arn: str) -> dict[str, str]:
    """By what moto lists for the Resource Groups Tagging API."""
    import moto.backends

    try:
        group: Any = moto.backends.get_backend(service)  # type: ignore[call-overload]
    except Exception:  # noqa: BLE001 - moto knows no such service: nothing of it has tags
        return {}
    try:
        backend = group[ACCOUNT_ID][region or "aws"]
    except KeyError:
        return {}  # of no region, in a service that has them: a dashboard, which has no tags
    listed: Iterable[Any] = getattr(backend, "iter_tagged_resources", tuple)()
    return next((dict(one.tags) for one in listed if one.arn == arn), {})
