"""ECR's pull through cache rules, which moto has not: kept and described; nothing pulls through them.

https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreatePullThroughCacheRule.html
"""

import json
from datetime import UTC, datetime
from typing import Any, Final

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.ecr.responses import ECRResponse

Rule = dict[str, Any]

_SHOWN_ON_DELETION: Final = (
    "ecrRepositoryPrefix",
    "upstreamRegistryUrl",
    "createdAt",
    "registryId",
    "credentialArn",
)


class RuleError(ServiceException):
    """An error of ECR's, as code and message; moto asks for a class outside of its own core."""


def install() -> None:
    """Let ECR's API answer the four operations on rules."""
    for name, operation in _OPERATIONS.items():
        setattr(ECRResponse, name, operation)


def _rules(response: ECRResponse) -> dict[str, Rule]:
    # Beside moto's own attributes of the backend, so that the account's state keeps it.
    found: dict[str, Rule] = response.ecr_backend.__dict__.setdefault("pull_through_cache_rules", {})
    return found


def _existing(response: ECRResponse, prefix: str) -> Rule:
    found = _rules(response).get(prefix)
    if found is None:
        account = response.current_account
        raise RuleError(
            "PullThroughCacheRuleNotFoundException",
            f"Pull through cache rule with prefix '{prefix}' not found for registry '{account}'",
        )
    return found


def _create(response: ECRResponse) -> ActionResult:
    given = json.loads(response.body)
    prefix = given["ecrRepositoryPrefix"]
    if prefix in _rules(response):
        raise RuleError(
            "PullThroughCacheRuleAlreadyExistsException",
            f"A pull through cache rule with the ecr repository prefix '{prefix}' already exists for "
            f"registry '{response.current_account}'",
        )
    now = datetime.now(UTC)
    names = ("ecrRepositoryPrefix", "upstreamRegistryUrl", "upstreamRegistry", "credentialArn")
    rule = {name: given[name] for name in names if given.get(name)}
    rule |= {"createdAt": now, "registryId": response.current_account}
    _rules(response)[prefix] = {**rule, "updatedAt": now}
    return ActionResult(rule)


def _describe(response: ECRResponse) -> ActionResult:
    wanted = json.loads(response.body).get("ecrRepositoryPrefixes")
    prefixes = wanted if wanted is not None else sorted(_rules(response))
    return ActionResult({"pullThroughCacheRules": [_existing(response, prefix) for prefix in prefixes]})


def _update(response: ECRResponse) -> ActionResult:
    given = json.loads(response.body)
    rule = _existing(response, given["ecrRepositoryPrefix"])
    if given.get("credentialArn"):
        rule["credentialArn"] = given["credentialArn"]
    rule["updatedAt"] = datetime.now(UTC)
    return ActionResult(rule)


def _delete(response: ECRResponse) -> ActionResult:
    rule = _existing(response, json.loads(response.body)["ecrRepositoryPrefix"])
    del _rules(response)[rule["ecrRepositoryPrefix"]]
    return ActionResult({name: rule[name] for name in _SHOWN_ON_DELETION if name in rule})


_OPERATIONS: Final = {
    "create_pull_through_cache_rule": _create,
    "describe_pull_through_cache_rules": _describe,
    "update_pull_through_cache_rule": _update,
    "delete_pull_through_cache_rule": _delete,
}
