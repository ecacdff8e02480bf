"""The VPC of a cluster: three zones, private subnets for pods and databases, public ones for NAT."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from infra import policies, trust_policies
from infra.cluster_settings import Nat
from infra.components.interface_endpoints import InterfaceEndpoints, InterfaceEndpointsArgs

ZONES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SubnetPlan:
    """One subnet: its zone's index, its network, and whether it is public."""

    zone: int
    network: str
    public: bool

    @property
    def role(self) -> str:
        """Logical name within the network."""
        return f"{'public' if self.public else 'private'}-{self.zone}"


def plan_subnets(network: str, nat: Nat, zones: int = ZONES) -> list[SubnetPlan]:
    """Return subnets for a network: a private quarter in each zone, public ones from the last quarter.

    Pods get addresses of their subnet, so the private subnets are as big as the network allows. Public ones
    hold NAT gateways alone, so without these there is none.
    """
    private = list(ipaddress.IPv4Network(network).subnets(prefixlen_diff=2))
    public = list(private[-1].subnets(prefixlen_diff=2)) if nat is not Nat.NONE else []
    return [
        *(SubnetPlan(zone=zone, network=str(private[zone]), public=False) for zone in range(zones)),
        *(SubnetPlan(zone=zone, network=str(part), public=True) for zone, part in enumerate(public[:zones])),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkArgs:
    """What a Network needs."""

    name: str
    region: str
    account_id: str
    network: str
    zone_names: pulumi.Input[list[str]]
    nat: Nat
    log_retention_days: int
    key_arn: pulumi.Input[str]
    permissions_boundary: str | None
    protected: bool


class Network(pulumi.ComponentResource):
    """A VPC with flow logs, a closed default security group, NAT or endpoints, and an S3 endpoint."""

    TOKEN: Final = "airflowinfra:index:Network"  # noqa: S105 - a type token

    vpc_id: pulumi.Output[str]
    """Id of the VPC."""
    private_subnet_ids: list[pulumi.Output[str]]
    """Subnets of pods and databases, one in each zone."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        self._vpc = aws.ec2.Vpc(
            f"{name}-vpc",
            cidr_block=args.network,
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags={"Name": args.name},
            opts=pulumi.ResourceOptions(parent=self, protect=args.protected),
        )
        # Nothing may use the default group by accident (FSBP EC2.2).
        aws.ec2.DefaultSecurityGroup(f"{name}-default-closed", vpc_id=self._vpc.id, opts=self._child)
        subnets = {plan: self._subnet(plan) for plan in plan_subnets(args.network, args.nat)}
        gateways = [] if args.nat is Nat.NONE else self._public_routes(subnets)
        private_routes = self._private_routes(subnets, gateways)
        aws.ec2.VpcEndpoint(
            f"{name}-s3",
            vpc_id=self._vpc.id,
            service_name=f"com.amazonaws.{args.region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[table.id for table in private_routes],
            opts=self._child,
        )
        self._flow_log()
        self.vpc_id = self._vpc.id
        self.private_subnet_ids = [subnet.id for plan, subnet in subnets.items() if not plan.public]
        if not gateways:
            self._endpoints()
        self.register_outputs({"vpcId": self.vpc_id, "privateSubnetIds": self.private_subnet_ids})

    def _endpoints(self) -> None:
        InterfaceEndpoints(
            f"{self._name}-endpoints",
            InterfaceEndpointsArgs(
                name=self._args.name,
                region=self._args.region,
                vpc_id=self.vpc_id,
                network=self._args.network,
                subnet_ids=self.private_subnet_ids,
            ),
            self._child,
        )

    def _subnet(self, plan: SubnetPlan) -> aws.ec2.Subnet:
        # Load balancers find their subnets by these tags.
        role = "kubernetes.io/role/elb" if plan.public else "kubernetes.io/role/internal-elb"
        zones = pulumi.Output.from_input(self._args.zone_names)
        return aws.ec2.Subnet(
            f"{self._name}-{plan.role}",
            vpc_id=self._vpc.id,
            cidr_block=plan.network,
            availability_zone=zones[plan.zone],
            map_public_ip_on_launch=False,
            tags={"Name": f"{self._args.name}-{plan.role}", role: "1"},
            # The list of zones is of today: a zone in trouble drops out of it, and those behind it move up.
            # That must not move a subnet, which would be another one.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["availabilityZone"]),
        )

    def _public_routes(self, subnets: dict[SubnetPlan, aws.ec2.Subnet]) -> list[aws.ec2.NatGateway]:
        """Route public subnets to the internet and put the NAT gateways into them."""
        gateway = aws.ec2.InternetGateway(f"{self._name}-internet", vpc_id=self._vpc.id, opts=self._child)
        table = self._route_table("public")
        route = aws.ec2.Route(
            f"{self._name}-public-internet",
            route_table_id=table.id,
            destination_cidr_block="0.0.0.0/0",
            gateway_id=gateway.id,
            opts=self._child,
        )
        gateways = []
        for plan, subnet in subnets.items():
            if not plan.public:
                continue
            self._associate(plan, subnet, table)
            if self._args.nat is Nat.PER_ZONE or plan.zone == 0:
                gateways.append(self._nat(plan, subnet, route))
        return gateways

    def _nat(self, plan: SubnetPlan, subnet: aws.ec2.Subnet, route: aws.ec2.Route) -> aws.ec2.NatGateway:
        address = aws.ec2.Eip(f"{self._name}-nat-address-{plan.zone}", domain="vpc", opts=self._child)
        return aws.ec2.NatGateway(
            f"{self._name}-nat-{plan.zone}",
            subnet_id=subnet.id,
            allocation_id=address.id,
            tags={"Name": f"{self._args.name}-{plan.zone}"},
            # A NAT gateway without a way out fails; the route is no input of it.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[route]),
        )

    def _private_routes(
        self, subnets: dict[SubnetPlan, aws.ec2.Subnet], gateways: list[aws.ec2.NatGateway]
    ) -> list[aws.ec2.RouteTable]:
        tables = []
        for plan, subnet in subnets.items():
            if plan.public:
                continue
            table = self._route_table(plan.role)
            self._associate(plan, subnet, table)
            tables.append(table)
            if not gateways:
                continue
            aws.ec2.Route(
                f"{self._name}-{plan.role}-nat",
                route_table_id=table.id,
                destination_cidr_block="0.0.0.0/0",
                nat_gateway_id=gateways[plan.zone if len(gateways) > 1 else 0].id,
                opts=self._child,
            )
        return tables

    def _route_table(self, role: str) -> aws.ec2.RouteTable:
        return aws.ec2.RouteTable(
            f"{self._name}-{role}-routes",
            vpc_id=self._vpc.id,
            tags={"Name": f"{self._args.name}-{role}"},
            opts=self._child,
        )

    def _associate(self, plan: SubnetPlan, subnet: aws.ec2.Subnet, table: aws.ec2.RouteTable) -> None:
        aws.ec2.RouteTableAssociation(
            f"{self._name}-{plan.role}-association",
            subnet_id=subnet.id,
            route_table_id=table.id,
            opts=self._child,
        )

    def _flow_log(self) -> None:
        args = self._args
        group = aws.cloudwatch.LogGroup(
            f"{self._name}-flow-log-group",
            name=flow_log_group(args.name),
            retention_in_days=args.log_retention_days,
            kms_key_id=args.key_arn,
            opts=self._child,
        )
        role = aws.iam.Role(
            f"{self._name}-flow-log-role",
            name=f"{args.name}-{args.region}-flow-log",
            description="Writes the flow log of the VPC",
            assume_role_policy=policies.as_json(trust_policies.flow_log_trust(account_id=args.account_id)),
            permissions_boundary=args.permissions_boundary,
            opts=self._child,
        )
        policy = aws.iam.RolePolicy(
            f"{self._name}-flow-log-policy",
            name="flow-log",
            role=role.name,
            policy=policies.as_json(policies.document(policies.write_flow_log(group_arn=group.arn))),
            opts=self._child,
        )
        aws.ec2.FlowLog(
            f"{self._name}-flow-log",
            vpc_id=self._vpc.id,
            traffic_type="ALL",
            log_destination=group.arn,
            log_destination_type="cloud-watch-logs",
            iam_role_arn=role.arn,
            # Without its policy the role writes nothing, and the flow log reports an access error.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )


def flow_log_group(name: str) -> str:
    """Return the name of the log group that the flow log writes to."""
    return f"/airflow/{name}/flow-log"
