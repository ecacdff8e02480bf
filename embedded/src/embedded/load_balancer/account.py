"""Load balancers in the account: what AWS's API shows of them.

What is made, is made as the cluster's role, whose policies decide; what is looked up and removed, as EKS
itself, whose service-linked role may do that.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from embedded.aws_api.controller_sessions import CLUSTER_TAG, credentials
from embedded.aws_api.deployer import deployer_credentials
from embedded.identity import CloudIdentity
from embedded.load_balancer.clients import Clients, EksCluster
from embedded.load_balancer.listeners import Listeners
from embedded.load_balancer.planning import Certificate, LoadBalancer
from embedded.load_balancer.rules import TargetGroup

_STACK_TAG: Final = "ingress.eks.amazonaws.com/stack"
_RESOURCE_TAG: Final = "ingress.eks.amazonaws.com/resource"
_INTERNAL_SUBNETS: Final = "kubernetes.io/role/internal-elb"
_PUBLIC_SUBNETS: Final = "kubernetes.io/role/elb"
Tags = Sequence[tuple[str, str]]
# The first addresses of a subnet are AWS's own.
_RESERVED_ADDRESSES: Final = 4


class AccountRefusedError(Exception):
    """The account does not give what is asked for; the text is the event's."""


@dataclass(frozen=True)
class Made:
    """A load balancer as it is in the account."""

    dns_name: str
    interfaces: tuple[str, ...]
    """Its addresses, one in each of its subnets."""


class Account:
    """The AWS API, for one cluster."""

    def __init__(self, identity: CloudIdentity, cluster: EksCluster) -> None:
        self.cluster = cluster
        self._reader = Clients(identity, deployer_credentials(identity), cluster.region)
        self._maker = Clients(identity, credentials(identity), cluster.region)

    def certificates(self) -> list[Certificate]:
        """Certificates that may be used, by name."""
        listed = self._reader.every(
            "acm", "list_certificates", "CertificateSummaryList", CertificateStatuses=["ISSUED"]
        )
        found = []
        for arn in (one["CertificateArn"] for one in listed):
            details = self._reader.client("acm").describe_certificate(CertificateArn=arn)["Certificate"]
            names = (details["DomainName"], *(details.get("SubjectAlternativeNames") or ()))
            found.append(Certificate(arn, tuple(dict.fromkeys(names))))
        return found

    def make(self, group: str, wanted: LoadBalancer) -> Made:
        """Bring the account to what a group's load balancer has to be.

        Raises:
            AccountRefusedError: there are no subnets for it.
            ClientError: AWS refuses.
        """
        security_group = self._security_group(group, wanted)
        balancer = self._load_balancer(group, wanted, security_group)
        target_groups = {one: self._target_group(group, one, wanted.tags) for one in wanted.target_groups}
        tags = self._tags(group, "Listener", wanted.tags)
        listeners = Listeners(self._reader, self._maker, balancer["LoadBalancerArn"], tags)
        listeners.reconcile(wanted, target_groups)
        self._remove_target_groups(group, keep=set(target_groups.values()))
        return Made(balancer["DNSName"], self._interfaces(balancer))

    def register(self, group: str, target_group: TargetGroup, targets: Sequence[tuple[str, int]]) -> None:
        """Let exactly these pods be the targets."""
        arn = self._target_group(group, target_group)
        elb = self._reader.client("elbv2")
        health = elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        present = {(one["Target"]["Id"], one["Target"]["Port"]) for one in health}
        if gone := sorted(present - set(targets)):
            elb.deregister_targets(TargetGroupArn=arn, Targets=_targets(gone))
        if new := sorted(set(targets) - present):
            self._maker.client("elbv2").register_targets(TargetGroupArn=arn, Targets=_targets(new))

    def remove(self, group: str) -> None:
        """Delete the group's load balancer, and what was made for it; safe to repeat."""
        elb, ec2 = self._reader.client("elbv2"), self._reader.client("ec2")
        for balancer in self._present(group):
            for listener in self._reader.every(
                "elbv2", "describe_listeners", "Listeners", LoadBalancerArn=balancer
            ):
                elb.delete_listener(ListenerArn=listener["ListenerArn"])
            elb.delete_load_balancer(LoadBalancerArn=balancer)
        self._remove_target_groups(group, keep=set())
        for security_group in self._security_groups(group):
            self._revoke(security_group)
            ec2.delete_security_group(GroupId=security_group)

    def _name(self, group: str) -> str:
        """`k8s-GROUP-DIGEST`; names of load balancers have 32 characters at most."""
        digest = hashlib.sha256(f"{self.cluster.name}/{group}".encode()).hexdigest()[:10]
        return f"k8s-{_plain(group)[:17]}-{digest}"

    def _tags(self, group: str, resource: str, more: Tags) -> list[dict[str, str]]:
        tags = {**dict(more), CLUSTER_TAG: self.cluster.name, _STACK_TAG: group, _RESOURCE_TAG: resource}
        return [{"Key": key, "Value": value} for key, value in tags.items()]

    def _security_groups(self, group: str) -> list[str]:
        filters = [
            {"Name": f"tag:{CLUSTER_TAG}", "Values": [self.cluster.name]},
            {"Name": f"tag:{_STACK_TAG}", "Values": [group]},
        ]
        found = self._reader.every("ec2", "describe_security_groups", "SecurityGroups", Filters=filters)
        return [str(one["GroupId"]) for one in found]

    def _security_group(self, group: str, wanted: LoadBalancer) -> str:
        """The group that lets clients in to the listeners, and is let in to the pods."""
        if present := self._security_groups(group):
            return present[0]
        ec2 = self._maker.client("ec2")
        tags = self._tags(group, "ManagedLBSecurityGroup", wanted.tags)
        made = ec2.create_security_group(
            GroupName=self._name(group),
            Description="[k8s] Managed SecurityGroup for LoadBalancer",
            VpcId=self.cluster.vpc_id,
            TagSpecifications=[{"ResourceType": "security-group", "Tags": tags}],
        )
        identifier = str(made["GroupId"])
        rule_tags = [{"ResourceType": "security-group-rule", "Tags": tags}]
        ec2.authorize_security_group_ingress(
            GroupId=identifier,
            IpPermissions=[
                _permission(port, IpRanges=[{"CidrIp": "0.0.0.0/0"}]) for port in wanted.listeners
            ],
            TagSpecifications=rule_tags,
        )
        everything = {"FromPort": 0, "ToPort": 65535, "IpProtocol": "tcp"}
        source = {"UserIdGroupPairs": [{"GroupId": identifier}]}
        ec2.authorize_security_group_ingress(
            GroupId=self.cluster.security_group_id,
            IpPermissions=[{**everything, **source}],
            TagSpecifications=rule_tags,
        )
        return identifier

    def _revoke(self, security_group: str) -> None:
        """Take what names the security group out of the cluster's."""
        ec2 = self._reader.client("ec2")
        filters = [{"Name": "group-id", "Values": [self.cluster.security_group_id]}]
        for one in self._reader.every(
            "ec2", "describe_security_group_rules", "SecurityGroupRules", Filters=filters
        ):
            if (one.get("ReferencedGroupInfo") or {}).get("GroupId") == security_group:
                ec2.revoke_security_group_ingress(
                    GroupId=self.cluster.security_group_id,
                    SecurityGroupRuleIds=[one["SecurityGroupRuleId"]],
                )

    def _present(self, group: str) -> list[str]:
        found = self._reader.every("elbv2", "describe_load_balancers", "LoadBalancers")
        return [one["LoadBalancerArn"] for one in found if one["LoadBalancerName"] == self._name(group)]

    def _load_balancer(self, group: str, wanted: LoadBalancer, security_group: str) -> Any:
        reader = self._reader.client("elbv2")
        for arn in self._present(group):
            found = reader.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]
            if found["Scheme"] == wanted.scheme:
                return found
            # The scheme of a load balancer cannot be changed.
            self.remove(group)
            security_group = self._security_group(group, wanted)
        made = self._maker.client("elbv2").create_load_balancer(
            Name=self._name(group),
            Subnets=self._subnets(wanted.scheme),
            SecurityGroups=[security_group],
            Scheme=wanted.scheme,
            Type="application",
            IpAddressType="ipv4",
            Tags=self._tags(group, "LoadBalancer", wanted.tags),
        )
        return made["LoadBalancers"][0]

    def _subnets(self, scheme: str) -> list[str]:
        """One in each zone, by the tag that tells what it is for.

        https://docs.aws.amazon.com/eks/latest/userguide/tag-subnets-auto.html
        """
        tag = _INTERNAL_SUBNETS if scheme == "internal" else _PUBLIC_SUBNETS
        filters = [
            {"Name": "vpc-id", "Values": [self.cluster.vpc_id]},
            {"Name": f"tag:{tag}", "Values": ["1", ""]},
        ]
        found = self._reader.every("ec2", "describe_subnets", "Subnets", Filters=filters)
        by_zone = {
            one["AvailabilityZone"]: one["SubnetId"]
            for one in sorted(found, key=lambda one: str(one["SubnetId"]), reverse=True)
        }
        if len(by_zone) < 2:
            raise AccountRefusedError(
                f"couldn't auto-discover subnets: {len(by_zone)} zones of {self.cluster.vpc_id} have a "
                f"subnet tagged {tag}=1, 2 are needed"
            )
        return [by_zone[zone] for zone in sorted(by_zone)]

    def _interfaces(self, balancer: Any) -> tuple[str, ...]:
        """An address in each of its subnets; which, nobody can choose on AWS either."""
        subnets = [zone["SubnetId"] for zone in balancer["AvailabilityZones"]]
        found = self._reader.client("ec2").describe_subnets(SubnetIds=subnets)["Subnets"]
        addresses = []
        for subnet in found:
            network = ipaddress.IPv4Network(subnet["CidrBlock"])
            digest = hashlib.sha256(f"{balancer['LoadBalancerArn']}{subnet['SubnetId']}".encode()).digest()
            room = network.num_addresses - _RESERVED_ADDRESSES - 1
            offset = _RESERVED_ADDRESSES + int.from_bytes(digest[:8], "big") % room
            addresses.append(str(network.network_address + offset))
        return tuple(sorted(addresses))

    def _target_group_name(self, group: str, wanted: TargetGroup) -> str:
        digest = hashlib.sha256(f"{self.cluster.name}/{group}/{wanted}".encode()).hexdigest()[:10]
        return f"k8s-{_plain(wanted.namespace)[:8]}-{_plain(wanted.service)[:8]}-{digest}"

    def _target_groups(self, group: str) -> dict[str, str]:
        """Name -> ARN of every target group that was made for this load balancer."""
        elb = self._reader.client("elbv2")
        found = self._reader.every("elbv2", "describe_target_groups", "TargetGroups")
        mine = {}
        for one in found:
            [described] = elb.describe_tags(ResourceArns=[one["TargetGroupArn"]])["TagDescriptions"]
            tags = {tag["Key"]: tag["Value"] for tag in described["Tags"]}
            if (tags.get(CLUSTER_TAG), tags.get(_STACK_TAG)) == (self.cluster.name, group):
                mine[one["TargetGroupName"]] = one["TargetGroupArn"]
        return mine

    def _target_group(self, group: str, wanted: TargetGroup, tags: Tags = ()) -> str:
        name, check = self._target_group_name(group, wanted), wanted.health_check
        if arn := self._target_groups(group).get(name):
            return arn
        made = self._maker.client("elbv2").create_target_group(
            Name=name,
            Protocol="HTTP",
            # Each target has a port of its own.
            Port=1,
            VpcId=self.cluster.vpc_id,
            TargetType="ip",
            HealthCheckProtocol="HTTP",
            HealthCheckPath=check.path,
            HealthCheckIntervalSeconds=check.interval_seconds,
            HealthCheckTimeoutSeconds=check.timeout_seconds,
            HealthyThresholdCount=check.healthy_threshold,
            UnhealthyThresholdCount=check.unhealthy_threshold,
            Matcher={"HttpCode": check.success_codes},
            Tags=self._tags(group, f"{wanted.namespace}/{wanted.service}:{wanted.port}", tags),
        )
        return str(made["TargetGroups"][0]["TargetGroupArn"])

    def _remove_target_groups(self, group: str, keep: set[str]) -> None:
        for arn in self._target_groups(group).values():
            if arn not in keep:
                self._reader.client("elbv2").delete_target_group(TargetGroupArn=arn)


def _targets(targets: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    # Pods have addresses of the node's own range here, not of the VPC.
    return [{"Id": address, "Port": port, "AvailabilityZone": "all"} for address, port in targets]


def _permission(port: int, **source: Any) -> dict[str, Any]:
    return {"FromPort": port, "ToPort": port, "IpProtocol": "tcp", **source}


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", "", text).lower()
