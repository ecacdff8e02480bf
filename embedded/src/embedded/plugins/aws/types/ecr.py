"""Elastic Container Registry: repositories, their policies, and rules that fill them from elsewhere."""

from typing import Final

from embedded.plugins.aws.call import Call, key_value_tags
from embedded.plugins.aws.mapping import from_aws
from embedded.plugins.aws.operations import arn_tags
from embedded.plugins.aws.schema import ResourceType, block, blocks, document, flag, name, text
from embedded.plugins.common.values import Values

GONE: Final = (
    "RepositoryNotFoundException",
    "LifecyclePolicyNotFoundException",
    "RepositoryPolicyNotFoundException",
    "PullThroughCacheRuleNotFoundException",
)


def _create(call: Call) -> str:
    arguments = call.arguments()
    if call.get("encryptionConfigurations"):
        arguments["encryptionConfiguration"] = arguments.pop("encryptionConfigurations")[0]
    tags = {"tags": key_value_tags(call.tags)} if call.tags else {}
    return str(call.client.create_repository(**arguments, **tags)["repository"]["repositoryName"])


def _read(call: Call) -> Values | None:
    found = call.client.describe_repositories(repositoryNames=[call.id])["repositories"]
    if not found:
        return None
    encryption = found[0].get("encryptionConfiguration")
    return from_aws(call.kind, {**found[0], "encryptionConfigurations": [encryption] if encryption else None})


def _update(call: Call) -> None:
    if "imageTagMutability" in call.changed:
        call.client.put_image_tag_mutability(
            repositoryName=call.id, imageTagMutability=call.values["imageTagMutability"]
        )
    if "imageScanningConfiguration" in call.changed:
        scanning = call.get("imageScanningConfiguration", {"scanOnPush": False})
        call.client.put_image_scanning_configuration(
            repositoryName=call.id, imageScanningConfiguration=scanning
        )


REPOSITORY = ResourceType(
    token="aws:ecr/repository:Repository",  # noqa: S106 - a type token
    page="ecr_repository",
    service="ecr",
    style="camel",
    properties={
        "name": name(256, aws="repositoryName", form=str.lower),
        "forceDelete": flag(aws=None, write_only=True),
        "imageTagMutability": text(default="MUTABLE", allowed=("MUTABLE", "IMMUTABLE")),
        "imageScanningConfiguration": block({"scanOnPush": flag(required=True)}),
        "encryptionConfigurations": blocks(
            {"encryptionType": text(default="AES256"), "kmsKey": text(computed=True)},
            fixed=True,
            computed=True,
        ),
    },
    outputs={"arn": "repositoryArn", "registryId": "registryId", "repositoryUrl": "repositoryUri"},
    create=_create,
    read=_read,
    update=_update,
    delete=lambda call: call.client.delete_repository(
        repositoryName=call.id, force=bool(call.get("forceDelete"))
    ),
    tags=arn_tags(
        "list_tags_for_resource",
        "tag_resource",
        "untag_resource",
        "resourceArn",
        "tags",
        lambda call: call.session.arn("ecr", f"repository/{call.id}", call.region),
    ),
    gone=GONE,
    import_id="the repository's name",
)


def _policy_of_a_repository(*, token: str, page: str, kind: str, put: str, text_member: str) -> ResourceType:
    """One of the two documents that a repository may have.

    `kind` is how the operations `get_` and `delete_` name it, `put` the operation that writes it, and
    `text_member` the request's and answer's member that holds its JSON.
    """

    def write(call: Call) -> str:
        repository = str(call.values["repository"])
        getattr(call.client, put)(repositoryName=repository, **{text_member: call.values["policy"]})
        return repository

    return ResourceType(
        token=token,
        page=page,
        service="ecr",
        style="camel",
        properties={
            "repository": text(aws="repositoryName", required=True, fixed=True),
            "policy": document(aws=text_member, required=True),
        },
        outputs={"registryId": "registryId"},
        create=write,
        read=lambda call: from_aws(call.kind, getattr(call.client, f"get_{kind}")(repositoryName=call.id)),
        update=write,
        delete=lambda call: getattr(call.client, f"delete_{kind}")(repositoryName=call.id),
        gone=GONE,
        import_id="the repository's name",
    )


LIFECYCLE_POLICY = _policy_of_a_repository(
    token="aws:ecr/lifecyclePolicy:LifecyclePolicy",  # noqa: S106 - a type token
    page="ecr_lifecycle_policy",
    kind="lifecycle_policy",
    put="put_lifecycle_policy",
    text_member="lifecyclePolicyText",
)

REPOSITORY_POLICY = _policy_of_a_repository(
    token="aws:ecr/repositoryPolicy:RepositoryPolicy",  # noqa: S106 - a type token
    page="ecr_repository_policy",
    kind="repository_policy",
    put="set_repository_policy",
    text_member="policyText",
)


def _read_rule(call: Call) -> Values | None:
    found = call.client.describe_pull_through_cache_rules(ecrRepositoryPrefixes=[call.id])
    rules = found["pullThroughCacheRules"]
    return from_aws(call.kind, rules[0]) if rules else None


PULL_THROUGH_CACHE_RULE = ResourceType(
    token="aws:ecr/pullThroughCacheRule:PullThroughCacheRule",  # noqa: S106 - a type token
    page="ecr_pull_through_cache_rule",
    service="ecr",
    style="camel",
    properties={
        "ecrRepositoryPrefix": text(required=True, fixed=True),
        "upstreamRegistryUrl": text(required=True, fixed=True),
        "credentialArn": text(),
    },
    outputs={"registryId": "registryId"},
    create=lambda call: str(
        call.client.create_pull_through_cache_rule(**call.arguments())["ecrRepositoryPrefix"]
    ),
    read=_read_rule,
    update=lambda call: call.client.update_pull_through_cache_rule(
        **call.arguments(["ecrRepositoryPrefix", "credentialArn"])
    ),
    delete=lambda call: call.client.delete_pull_through_cache_rule(ecrRepositoryPrefix=call.id),
    gone=GONE,
    import_id="the prefix of the repositories",
)

TYPES = (REPOSITORY, LIFECYCLE_POLICY, REPOSITORY_POLICY, PULL_THROUGH_CACHE_RULE)
