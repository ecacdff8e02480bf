"""An instance inside the VPC from which deployers work where the API server has no public endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from infra import policies, trust_policies
from infra.cluster_settings import RunnerSettings

SESSION_MANAGER_POLICY: Final = "AmazonSSMManagedInstanceCore"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentRunnerArgs:
    """What a DeploymentRunner needs."""

    name: str
    """Name of the cluster; prefix of names."""
    region: str
    settings: RunnerSettings
    vpc_id: pulumi.Input[str]
    subnet_id: pulumi.Input[str]
    cluster_security_group_id: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    permissions_boundary: str | None


class DeploymentRunner(pulumi.ComponentResource):
    """A runner without an open port: `aws ssm start-session --target <id>` is the way in.

    Its role can be managed by Session Manager and assume the roles that deploy, nothing else, so the rights
    to deploy stay with those roles and their trust policies.
    """

    TOKEN: Final = "airflowinfra:index:DeploymentRunner"  # noqa: S105 - a type token

    instance_id: pulumi.Output[str]
    """Target for Session Manager."""
    role_arn: pulumi.Output[str]
    """What the roles that deploy must trust."""

    def __init__(
        self, name: str, args: DeploymentRunnerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        role, rights = self._role()
        profile = aws.iam.InstanceProfile(
            f"{name}-profile", name=f"{args.name}-{args.region}-runner", role=role.name, opts=self._child
        )
        instance = self._instance(profile, self._security_group(), rights)
        self.instance_id, self.role_arn = instance.id, role.arn
        self.register_outputs({"instanceId": self.instance_id, "roleArn": self.role_arn})

    def _role(self) -> tuple[aws.iam.Role, list[pulumi.Resource]]:
        args = self._args
        role = aws.iam.Role(
            f"{self._name}-role",
            name=f"{args.name}-{args.region}-runner",
            description=f"Runner of EKS cluster {args.name}",
            assume_role_policy=policies.as_json(trust_policies.node_trust()),
            permissions_boundary=args.permissions_boundary,
            opts=self._child,
        )
        managed = f"arn:{policies.partition(args.region)}:iam::aws:policy/{SESSION_MANAGER_POLICY}"
        statements = policies.assume_roles(role_arns=args.settings.role_arns)
        return role, [
            aws.iam.RolePolicyAttachment(
                f"{self._name}-session-manager", role=role.name, policy_arn=managed, opts=self._child
            ),
            aws.iam.RolePolicy(
                f"{self._name}-assume-roles",
                name="assume-roles",
                role=role.name,
                policy=policies.as_json(policies.document(statements)),
                opts=self._child,
            ),
        ]

    def _security_group(self) -> aws.ec2.SecurityGroup:
        group = aws.ec2.SecurityGroup(
            f"{self._name}-security-group",
            name=f"{self._args.name}-runner",
            description="Runner: nothing comes in",
            vpc_id=self._args.vpc_id,
            opts=self._child,
        )
        aws.vpc.SecurityGroupEgressRule(
            f"{self._name}-https",
            security_group_id=group.id,
            description="AWS, the API server, and packages",
            cidr_ipv4="0.0.0.0/0",
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            opts=self._child,
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{self._name}-api-server",
            security_group_id=self._args.cluster_security_group_id,
            description="Deployments from the runner",
            referenced_security_group_id=group.id,
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            opts=self._child,
        )
        return group

    def _instance(
        self,
        profile: aws.iam.InstanceProfile,
        group: aws.ec2.SecurityGroup,
        rights: list[pulumi.Resource],
    ) -> aws.ec2.Instance:
        args = self._args
        return aws.ec2.Instance(
            f"{self._name}-instance",
            ami=args.settings.image_id,
            instance_type=args.settings.instance_type,
            subnet_id=args.subnet_id,
            vpc_security_group_ids=[group.id],
            iam_instance_profile=profile.name,
            associate_public_ip_address=False,
            # FSBP EC2.8: a request that was tricked out of a program can't read the role's credentials.
            metadata_options=aws.ec2.InstanceMetadataOptionsArgs(
                http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
            ),
            root_block_device=aws.ec2.InstanceRootBlockDeviceArgs(
                encrypted=True,
                kms_key_id=args.key_arn,
                volume_size=args.settings.volume_gib,
                volume_type="gp3",
            ),
            tags={"Name": f"{args.name}-runner"},
            # The agent registers once, when the instance starts; without rights it would give up for long.
            opts=pulumi.ResourceOptions(parent=self, depends_on=rights),
        )
