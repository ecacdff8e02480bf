"""Where to deploy: one type, whether the cluster comes from a cluster stack or existed before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from infra import database_endpoint, image_mirror
from infra.policies import partition
from infra.settings import ClusterSettings

# Outputs of the cluster project that environments read; infra/stacks/cluster.py exports them under these
# names.
NAME: Final = "clusterName"
ENDPOINT: Final = "endpoint"
CERTIFICATE_AUTHORITY: Final = "certificateAuthority"
VPC_ID: Final = "vpcId"
PRIVATE_SUBNET_IDS: Final = "privateSubnetIds"
SECURITY_GROUP_ID: Final = "clusterSecurityGroupId"
REGION: Final = "region"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterReference:
    """What an environment needs to know of its cluster."""

    name: pulumi.Output[str]
    endpoint: pulumi.Output[str]
    certificate_authority: pulumi.Output[str]
    """Certificate authority of the endpoint, base64 of PEM."""
    vpc_id: pulumi.Output[str]
    private_subnet_ids: pulumi.Output[list[str]]
    """Subnets for the database."""
    security_group_id: pulumi.Output[str]
    """Security group of the pods' network interfaces."""
    database_host: pulumi.Output[Any] | None = None
    """What the cluster's stack says of an instance that takes tenants, None for none; for
    `database_endpoint.database_host`. Without a stack there is no such output."""
    image_mirror: pulumi.Output[Any] | None = None
    """Registry that holds the images of the chart, as the cluster's stack says; None or empty for none."""
    region: str
    account_id: str

    @property
    def arn(self) -> pulumi.Output[str]:
        """ARN of the cluster."""
        base = f"arn:{partition(self.region)}:eks:{self.region}:{self.account_id}:cluster/"
        return pulumi.Output.concat(base, self.name)

    @property
    def kubeconfig(self) -> pulumi.Output[str]:
        """Kubeconfig as JSON, without a token: `aws eks get-token` makes one at each use."""
        return pulumi.Output.json_dumps(
            kubeconfig(
                name=self.name,
                endpoint=self.endpoint,
                certificate_authority=self.certificate_authority,
                region=self.region,
            )
        )


def kubeconfig(
    *,
    name: pulumi.Input[str],
    endpoint: pulumi.Input[str],
    certificate_authority: pulumi.Input[str],
    region: str,
) -> dict[str, Any]:
    """Return a kubeconfig whose token comes from `aws eks get-token`; leaves may be Outputs."""
    arguments = ["eks", "get-token", "--cluster-name", name, "--region", region, "--output", "json"]
    command = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "aws",
        "args": arguments,
        "interactiveMode": "Never",
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "cluster",
                "cluster": {"server": endpoint, "certificate-authority-data": certificate_authority},
            }
        ],
        "users": [{"name": "deployer", "user": {"exec": command}}],
        "contexts": [{"name": "environment", "context": {"cluster": "cluster", "user": "deployer"}}],
        "current-context": "environment",
    }


def cluster_reference(
    settings: ClusterSettings, *, region: str, account_id: str, provider: aws.Provider
) -> ClusterReference:
    """Return the cluster that the settings name, from a stack's outputs or looked up in EKS."""
    if settings.stack is not None:
        return _from_stack(settings.stack, region, account_id)
    return _looked_up(settings, region, account_id, provider)


def missing_cluster(stack: str) -> str:
    """Return the sentence for a stack that holds no cluster, with the command that makes one."""
    name = stack.rsplit("/", 1)[-1]
    return (
        f"There is no cluster in stack {stack}, which airflow:cluster.stack names. "
        f"Make it by `airflow-env up STACK`, or by `pulumi --cwd cluster up --stack {name}`."
    )


def _require(stack: str, region: str) -> None:
    """Stop with our sentence before anything is made: a reference to no stack ends with the engine's own."""
    try:
        answer = pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", {"name": stack})
    except Exception as error:
        if "unknown stack" in str(error):
            raise pulumi.RunError(missing_cluster(stack)) from None
        raise
    there = ((answer.value or {}).get("outputs") or {}).get(REGION, region)
    if there != region:
        raise pulumi.RunError(
            f"airflow:region is {region}, and the cluster of stack {stack} (airflow:cluster.stack) is in "
            f"{there}. Set airflow:region to {there}, or name the stack of a cluster in {region}."
        )


def _from_stack(stack: str, region: str, account_id: str) -> ClusterReference:
    _require(stack, region)
    reference = pulumi.StackReference("cluster", stack_name=stack)

    def output(name: str) -> pulumi.Output[Any]:
        def required(outputs: Mapping[str, Any]) -> Any:
            if name not in outputs:
                raise pulumi.RunError(missing_cluster(stack))
            return outputs[name]

        return reference.outputs.apply(required)

    return ClusterReference(
        name=output(NAME),
        endpoint=output(ENDPOINT),
        certificate_authority=output(CERTIFICATE_AUTHORITY),
        vpc_id=output(VPC_ID),
        private_subnet_ids=output(PRIVATE_SUBNET_IDS),
        security_group_id=output(SECURITY_GROUP_ID),
        database_host=reference.get_output(database_endpoint.EXPORT),
        image_mirror=reference.get_output(image_mirror.EXPORT),
        region=region,
        account_id=account_id,
    )


def _looked_up(
    settings: ClusterSettings, region: str, account_id: str, provider: aws.Provider
) -> ClusterReference:
    found = aws.eks.get_cluster_output(name=settings.name, opts=pulumi.InvokeOutputOptions(provider=provider))
    network = found.vpc_config
    given = list(settings.database_subnet_ids)
    subnets = pulumi.Output.from_input(given) if given else network.apply(lambda vpc: list(vpc.subnet_ids))
    return ClusterReference(
        name=found.name,
        endpoint=found.endpoint,
        certificate_authority=found.certificate_authorities.apply(lambda found_: str(found_[0].data)),
        vpc_id=network.apply(lambda vpc: str(vpc.vpc_id)),
        private_subnet_ids=subnets,
        security_group_id=network.apply(lambda vpc: str(vpc.cluster_security_group_id)),
        region=region,
        account_id=account_id,
    )
