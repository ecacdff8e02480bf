"""The two providers of an environment, made once and handed down; components make none."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes

from infra.cluster_ref import ClusterReference


def default_tags(
    *, project: str, stack: str, deployment_id: str, owner: str, tags: Mapping[str, str]
) -> dict[str, str]:
    """Return the tags of every resource; `deployment-id` is how leftovers are found."""
    own = {"project": project, "stack": stack, "deployment-id": deployment_id, "owner": owner}
    return {**tags, **own}


def aws_provider(name: str, *, region: str, account_id: str, tags: Mapping[str, str]) -> aws.Provider:
    """Return the aws provider for one region; credentials of another account are refused by it."""
    return aws.Provider(
        name,
        region=region,
        allowed_account_ids=[account_id],
        default_tags=aws.ProviderDefaultTagsArgs(tags=dict(tags)),
    )


def kubernetes_provider(name: str, *, cluster: ClusterReference) -> kubernetes.Provider:
    """Return the kubernetes provider; its token comes from the deployer's AWS credentials at each use."""
    return kubernetes.Provider(name, kubeconfig=cluster.kubeconfig, enable_server_side_apply=True)


def both(aws_: aws.Provider, kubernetes_: kubernetes.Provider) -> pulumi.ResourceOptions:
    """Return options that hand both providers to a component and its children."""
    return pulumi.ResourceOptions(providers={"aws": aws_, "kubernetes": kubernetes_})
