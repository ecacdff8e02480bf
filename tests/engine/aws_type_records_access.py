"""Lives of the types of identity, clusters, images, alarms and messages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aws_type_life import Ask, Never, Record
from aws_type_world import document, trust

# --- IAM ---


def _role(ask: Ask, name: str) -> Mapping[str, Any]:
    found = ask("iam").get_role(RoleName=name)["Role"]
    return {key: found.get(key) for key in ("Description", "MaxSessionDuration", "Path")}


def _inline(ask: Ask, resource: str) -> Mapping[str, Any]:
    role, _, policy = resource.partition(":")
    found = ask("iam").get_role_policy(RoleName=role, PolicyName=policy)
    return {"action": found["PolicyDocument"]["Statement"][0]["Action"]}


def _write_inline(ask: Ask, resource: str) -> None:
    role, _, policy = resource.partition(":")
    ask("iam").put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=document("s3:ByHand"))


def _policy(ask: Ask, arn: str) -> Mapping[str, Any]:
    found = ask("iam").get_policy(PolicyArn=arn)["Policy"]
    version = ask("iam").get_policy_version(PolicyArn=arn, VersionId=found["DefaultVersionId"])
    action = version["PolicyVersion"]["Document"]["Statement"][0]["Action"]
    return {"action": action, "description": found.get("Description")}


def _write_policy(ask: Ask, arn: str) -> None:
    ask("iam").create_policy_version(PolicyArn=arn, PolicyDocument=document("s3:ByHand"), SetAsDefault=True)


def _attachment(ask: Ask, resource: str) -> Mapping[str, Any] | None:
    role, _, policy = resource.partition("/")
    attached = ask("iam").list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    return {"attached": True} if policy in {item["PolicyArn"] for item in attached} else None


def _profile(ask: Ask, name: str) -> Mapping[str, Any]:
    found = ask("iam").get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
    return {"roles": [role["RoleName"] for role in found["Roles"]], "path": found["Path"]}


IAM = (
    Record(
        token="aws:iam/role:Role",
        inputs={"name": "life-one", "assumeRolePolicy": trust(), "description": "one"},
        look=_role,
        made={"Description": "one", "MaxSessionDuration": 3600, "Path": "/"},
        update={"maxSessionDuration": 7200},
        updated={"MaxSessionDuration": 7200},
        replace={"path": "/life/"},
        replaced={"Path": "/life/"},
        behind=lambda ask, name: ask("iam").update_role(RoleName=name, Description="by hand"),
        drifted={"description": "by hand"},
        unread=("forceDetachPolicies",),
    ),
    Record(
        token="aws:iam/rolePolicy:RolePolicy",
        inputs={"name": "life-one", "role": "$role", "policy": document("s3:GetObject")},
        look=_inline,
        made={"action": "s3:GetObject"},
        update={"policy": document("s3:PutObject")},
        updated={"action": "s3:PutObject"},
        replace={"role": "$role2"},
        behind=_write_inline,
        drifted={"policy": document("s3:ByHand")},
    ),
    Record(
        token="aws:iam/policy:Policy",
        inputs={"name": "life-one", "policy": document("s3:GetObject"), "description": "one"},
        look=_policy,
        made={"action": "s3:GetObject", "description": "one"},
        update={"policy": document("s3:PutObject")},
        updated={"action": "s3:PutObject"},
        replace={"description": "two"},
        replaced={"description": "two"},
        behind=_write_policy,
        drifted={"policy": document("s3:ByHand")},
    ),
    Record(
        token="aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        inputs={"role": "$role", "policyArn": "$policy_arn"},
        look=_attachment,
        made={"attached": True},
        update=Never("it is a role and a policy, and another one with others"),
        replace={"policyArn": "$policy_arn2"},
        behind=Never("it is a role and a policy, and nothing else"),
    ),
    Record(
        token="aws:iam/instanceProfile:InstanceProfile",
        inputs={"name": "life-one", "role": "$role"},
        look=_profile,
        made={"roles": ["$role"], "path": "/"},
        update={"role": "$role2"},
        updated={"roles": ["$role2"]},
        replace={"path": "/life/"},
        replaced={"path": "/life/"},
        behind=lambda ask, name: ask("iam").tag_instance_profile(
            InstanceProfileName=name, Tags=[{"Key": "Name", "Value": "by hand"}]
        ),
        drifted={"tags": {"Name": "by hand"}},
    ),
)

# --- EKS ---


def _cluster(ask: Ask, name: str) -> Mapping[str, Any]:
    found = ask("eks").describe_cluster(name=name)["cluster"]
    setups = [setup for setup in found["logging"]["clusterLogging"] if setup["enabled"]]
    on = [kind for setup in setups for kind in setup["types"]]
    private = found["resourcesVpcConfig"]["endpointPrivateAccess"]
    return {"logs": sorted(on), "private": private, "role": found["roleArn"]}


def _addon(ask: Ask, resource: str) -> Mapping[str, Any]:
    cluster, _, addon = resource.partition(":")
    found = ask("eks").describe_addon(clusterName=cluster, addonName=addon)["addon"]
    return {"values": json.loads(found.get("configurationValues") or "{}")}


def _configure_addon(ask: Ask, resource: str) -> None:
    cluster, _, addon = resource.partition(":")
    ask("eks").update_addon(clusterName=cluster, addonName=addon, configurationValues='{"replicas": 9}')


def _entry(ask: Ask, resource: str) -> Mapping[str, Any]:
    cluster, _, principal = resource.partition(":")
    found = ask("eks").describe_access_entry(clusterName=cluster, principalArn=principal)["accessEntry"]
    return {"groups": found["kubernetesGroups"]}


def _regroup(ask: Ask, resource: str) -> None:
    cluster, _, principal = resource.partition(":")
    ask("eks").update_access_entry(clusterName=cluster, principalArn=principal, kubernetesGroups=["hand"])


def _access_policy(ask: Ask, resource: str) -> Mapping[str, Any] | None:
    cluster, principal, policy = resource.split("#")
    found = ask("eks").list_associated_access_policies(clusterName=cluster, principalArn=principal)
    for item in found["associatedAccessPolicies"]:
        if item["policyArn"] == policy:
            return {"scope": item["accessScope"]["type"]}
    return None


def _association(ask: Ask, resource: str) -> Mapping[str, Any] | None:
    for cluster in ask("eks").list_clusters()["clusters"]:
        listed = ask("eks").list_pod_identity_associations(clusterName=cluster)["associations"]
        if resource in {item["associationId"] for item in listed}:
            found = ask("eks").describe_pod_identity_association(clusterName=cluster, associationId=resource)
            return {key: found["association"][key] for key in ("roleArn", "serviceAccount")}
    return None


def _tag_association(ask: Ask, resource: str) -> None:
    for cluster in ask("eks").list_clusters()["clusters"]:
        for item in ask("eks").list_pod_identity_associations(clusterName=cluster)["associations"]:
            if item["associationId"] == resource:
                ask("eks").tag_resource(resourceArn=item["associationArn"], tags={"Name": "by hand"})


ADMIN = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"

EKS = (
    Record(
        token="aws:eks/cluster:Cluster",
        inputs={
            "name": "life",
            "roleArn": "$role_arn",
            "vpcConfig": {
                "subnetIds": ["$subnet_a", "$subnet_b"],
                "endpointPrivateAccess": True,
                "endpointPublicAccess": False,
            },
            "enabledClusterLogTypes": ["api"],
        },
        look=_cluster,
        made={"logs": ["api"], "private": True, "role": "$role_arn"},
        update={"enabledClusterLogTypes": ["api", "audit"]},
        updated={"logs": ["api", "audit"]},
        replace={"roleArn": "$role_arn2"},
        replaced={"role": "$role_arn2"},
        behind=lambda ask, name: ask("eks").tag_resource(
            resourceArn=ask("eks").describe_cluster(name=name)["cluster"]["arn"], tags={"Name": "by hand"}
        ),
        drifted={"tags": {"Name": "by hand"}},
        unread=("bootstrapSelfManagedAddons",),
    ),
    Record(
        token="aws:eks/addon:Addon",
        inputs={
            "clusterName": "$cluster",
            "addonName": "metrics-server",
            "configurationValues": '{"replicas": 1}',
        },
        look=_addon,
        made={"values": {"replicas": 1}},
        update={"configurationValues": '{"replicas": 2}'},
        updated={"values": {"replicas": 2}},
        replace={"clusterName": "$cluster2"},
        behind=_configure_addon,
        drifted={"configurationValues": '{"replicas": 9}'},
    ),
    Record(
        token="aws:eks/accessEntry:AccessEntry",
        inputs={"clusterName": "$cluster", "principalArn": "$role_arn2", "kubernetesGroups": ["one"]},
        look=_entry,
        made={"groups": ["one"]},
        update={"kubernetesGroups": ["one", "two"]},
        updated={"groups": ["one", "two"]},
        replace={"clusterName": "$cluster2"},
        behind=_regroup,
        drifted={"kubernetesGroups": ["hand"]},
    ),
    Record(
        token="aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
        inputs={
            "clusterName": "$cluster",
            "principalArn": "$role_arn",
            "policyArn": ADMIN,
            "accessScope": {"type": "cluster"},
        },
        look=_access_policy,
        made={"scope": "cluster"},
        update=Never("every input forces another association"),
        replace={"clusterName": "$cluster2"},
        behind=Never("its scope is all it has, and the embedded EKS knows the scope cluster alone"),
    ),
    Record(
        token="aws:eks/podIdentityAssociation:PodIdentityAssociation",
        inputs={
            "clusterName": "$cluster",
            "namespace": "life",
            "serviceAccount": "one",
            "roleArn": "$role_arn",
        },
        look=_association,
        made={"roleArn": "$role_arn", "serviceAccount": "one"},
        update={"roleArn": "$role_arn2"},
        updated={"roleArn": "$role_arn2"},
        replace={"serviceAccount": "two"},
        replaced={"serviceAccount": "two"},
        behind=_tag_association,
        drifted={"tags": {"Name": "by hand"}},
        import_id="$cluster,$id",
    ),
)

# --- ECR ---


def _repository(ask: Ask, name: str) -> Mapping[str, Any]:
    found = ask("ecr").describe_repositories(repositoryNames=[name])["repositories"][0]
    return {"tags": found["imageTagMutability"], "scans": found["imageScanningConfiguration"]["scanOnPush"]}


def _expiry(count: int) -> str:
    rule = {
        "rulePriority": 1,
        "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": count},
        "action": {"type": "expire"},
    }
    return json.dumps({"rules": [rule]})


def _image_expiry(ask: Ask, name: str) -> Mapping[str, Any]:
    text = ask("ecr").get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"]
    return {"count": json.loads(text)["rules"][0]["selection"]["countNumber"]}


def _repository_policy(ask: Ask, name: str) -> Mapping[str, Any]:
    text = ask("ecr").get_repository_policy(repositoryName=name)["policyText"]
    return {"action": json.loads(text)["Statement"][0]["Action"]}


def _pullers(action: str) -> str:
    statement = {"Sid": "pull", "Effect": "Allow", "Principal": "*", "Action": action}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _cache_rule(ask: Ask, prefix: str) -> Mapping[str, Any]:
    found = ask("ecr").describe_pull_through_cache_rules(ecrRepositoryPrefixes=[prefix])
    rule = found["pullThroughCacheRules"][0]
    return {"upstream": rule["upstreamRegistryUrl"], "credential": rule.get("credentialArn")}


ECR = (
    Record(
        token="aws:ecr/repository:Repository",
        inputs={
            "name": "life-one",
            "imageTagMutability": "IMMUTABLE",
            "imageScanningConfiguration": {"scanOnPush": True},
        },
        look=_repository,
        made={"tags": "IMMUTABLE", "scans": True},
        update={"imageScanningConfiguration": {"scanOnPush": False}},
        updated={"scans": False},
        replace={"name": "life-two"},
        behind=lambda ask, name: ask("ecr").put_image_tag_mutability(
            repositoryName=name, imageTagMutability="MUTABLE"
        ),
        drifted={"imageTagMutability": "MUTABLE"},
    ),
    Record(
        token="aws:ecr/lifecyclePolicy:LifecyclePolicy",
        inputs={"repository": "$repository", "policy": _expiry(5)},
        look=_image_expiry,
        made={"count": 5},
        update={"policy": _expiry(6)},
        updated={"count": 6},
        replace={"repository": "$repository2"},
        behind=lambda ask, name: ask("ecr").put_lifecycle_policy(
            repositoryName=name, lifecyclePolicyText=_expiry(9)
        ),
        drifted={"policy": _expiry(9)},
    ),
    Record(
        token="aws:ecr/repositoryPolicy:RepositoryPolicy",
        inputs={"repository": "$repository", "policy": _pullers("ecr:BatchGetImage")},
        look=_repository_policy,
        made={"action": "ecr:BatchGetImage"},
        update={"policy": _pullers("ecr:GetDownloadUrlForLayer")},
        updated={"action": "ecr:GetDownloadUrlForLayer"},
        replace={"repository": "$repository2"},
        behind=lambda ask, name: ask("ecr").set_repository_policy(
            repositoryName=name, policyText=_pullers("ecr:ListImages")
        ),
        drifted={"policy": _pullers("ecr:ListImages")},
    ),
    Record(
        token="aws:ecr/pullThroughCacheRule:PullThroughCacheRule",
        inputs={
            "ecrRepositoryPrefix": "life-one",
            "upstreamRegistryUrl": "registry-1.docker.io",
            "credentialArn": "$secret",
        },
        look=_cache_rule,
        made={"upstream": "registry-1.docker.io", "credential": "$secret"},
        update={"credentialArn": "$secret2"},
        updated={"credential": "$secret2"},
        replace={"ecrRepositoryPrefix": "life-two"},
        behind=Never("all of it that can be changed is what the update changes"),
    ),
)

# --- CloudWatch and SNS ---


def _alarm(ask: Ask, name: str) -> Mapping[str, Any] | None:
    found = ask("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    if not found:
        return None
    return {key: found[0].get(key) for key in ("Threshold", "AlarmDescription", "Dimensions")}


def _put_alarm_by_hand(ask: Ask, name: str) -> None:
    ask("cloudwatch").put_metric_alarm(
        AlarmName=name,
        AlarmDescription="by hand",
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=2,
        MetricName="CPUUtilization",
        Namespace="AWS/RDS",
        Period=60,
        Statistic="Average",
        Threshold=80,
        Dimensions=[{"Name": "DBInstanceIdentifier", "Value": "x"}],
    )


def _dashboard(ask: Ask, name: str) -> Mapping[str, Any]:
    body = json.loads(ask("cloudwatch").get_dashboard(DashboardName=name)["DashboardBody"])
    return {"markdown": body["widgets"][0]["properties"]["markdown"]}


def _board(text: str) -> str:
    return json.dumps({"widgets": [{"type": "text", "properties": {"markdown": text}}]})


def _log_group(ask: Ask, name: str) -> Mapping[str, Any] | None:
    found = ask("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return {"days": found[0].get("retentionInDays")} if found else None


def _topic(ask: Ask, arn: str) -> Mapping[str, Any]:
    found = ask("sns").get_topic_attributes(TopicArn=arn)["Attributes"]
    return {"title": found.get("DisplayName")}


def _topic_policy(ask: Ask, arn: str) -> Mapping[str, Any] | None:
    policy = json.loads(ask("sns").get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"])
    statement = policy["Statement"][0]
    # The policy that AWS gives a topic of itself names the operations of its owner, in a list.
    return None if isinstance(statement["Action"], list) else {"action": statement["Action"]}


def _publisher(action: str) -> str:
    service = {"Service": "cloudwatch.amazonaws.com"}
    return document(action, "*", Principal=service)


def _subscription(ask: Ask, arn: str) -> Mapping[str, Any]:
    found = ask("sns").get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    return {"raw": found.get("RawMessageDelivery"), "endpoint": found["Endpoint"]}


WATCHING = (
    Record(
        token="aws:cloudwatch/metricAlarm:MetricAlarm",
        inputs={
            "name": "life-one",
            "alarmDescription": "one",
            "comparisonOperator": "GreaterThanThreshold",
            "evaluationPeriods": 2,
            "metricName": "CPUUtilization",
            "namespace": "AWS/RDS",
            "period": 60,
            "statistic": "Average",
            "threshold": 80,
            "dimensions": {"DBInstanceIdentifier": "x"},
        },
        look=_alarm,
        made={
            "Threshold": 80,
            "AlarmDescription": "one",
            "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": "x"}],
        },
        update={"threshold": 90},
        updated={"Threshold": 90},
        replace={"name": "life-two"},
        behind=_put_alarm_by_hand,
        drifted={"alarmDescription": "by hand"},
    ),
    Record(
        token="aws:cloudwatch/dashboard:Dashboard",
        inputs={"dashboardName": "life-one", "dashboardBody": _board("one")},
        look=_dashboard,
        made={"markdown": "one"},
        update={"dashboardBody": _board("two")},
        updated={"markdown": "two"},
        replace={"dashboardName": "life-two"},
        behind=lambda ask, name: ask("cloudwatch").put_dashboard(
            DashboardName=name, DashboardBody=_board("by hand")
        ),
        drifted={"dashboardBody": _board("by hand")},
    ),
    Record(
        token="aws:cloudwatch/logGroup:LogGroup",
        inputs={"name": "life-one", "retentionInDays": 30},
        look=_log_group,
        made={"days": 30},
        update={"retentionInDays": 60},
        updated={"days": 60},
        replace={"name": "life-two"},
        behind=lambda ask, name: ask("logs").put_retention_policy(logGroupName=name, retentionInDays=7),
        drifted={"retentionInDays": 7},
        unread=("skipDestroy",),
    ),
    Record(
        token="aws:sns/topic:Topic",
        inputs={"name": "life-one", "displayName": "one"},
        look=_topic,
        made={"title": "one"},
        update={"displayName": "two"},
        updated={"title": "two"},
        replace={"name": "life-two"},
        behind=lambda ask, arn: ask("sns").set_topic_attributes(
            TopicArn=arn, AttributeName="DisplayName", AttributeValue="by hand"
        ),
        drifted={"displayName": "by hand"},
    ),
    Record(
        token="aws:sns/topicPolicy:TopicPolicy",
        inputs={"arn": "$topic", "policy": _publisher("SNS:Publish")},
        look=_topic_policy,
        made={"action": "SNS:Publish"},
        update={"policy": _publisher("SNS:Subscribe")},
        updated={"action": "SNS:Subscribe"},
        replace={"arn": "$topic2"},
        behind=lambda ask, arn: ask("sns").set_topic_attributes(
            TopicArn=arn, AttributeName="Policy", AttributeValue=_publisher("SNS:Receive")
        ),
        drifted={"policy": _publisher("SNS:Receive")},
        stays="a topic has a policy as long as it lives: its owner's, afterwards",
    ),
    Record(
        token="aws:sns/topicSubscription:TopicSubscription",
        inputs={"topic": "$topic", "protocol": "sqs", "endpoint": "arn:aws:sqs:$region:$account:one"},
        look=_subscription,
        made={"endpoint": "arn:aws:sqs:$region:$account:one"},
        update={"rawMessageDelivery": True},
        updated={"raw": "true"},
        replace={"endpoint": "arn:aws:sqs:$region:$account:two"},
        replaced={"endpoint": "arn:aws:sqs:$region:$account:two"},
        behind=Never("all of it that can be changed is what the update changes"),
    ),
)

RECORDS = (*IAM, *EKS, *ECR, *WATCHING)
