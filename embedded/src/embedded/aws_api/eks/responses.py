"""EKS's API operations beyond moto's, and moto's where the embedded cluster answers more."""

import json
from datetime import UTC, datetime
from typing import Any, cast
from uuid import uuid4

from moto.core.responses import ActionResult, EmptyResult
from moto.eks.responses import EKSResponse

from embedded.aws_api.eks import addons, errors
from embedded.aws_api.eks.access import POLICY_GROUPS
from embedded.aws_api.eks.backend import EmbeddedCluster, EmbeddedEksBackend
from embedded.aws_api.principals import find_principal
from embedded.identity import CloudIdentity


class EmbeddedEksResponse(EKSResponse):
    """Each public method is one operation of the API, found by its name."""

    @property
    def _backend(self) -> EmbeddedEksBackend:
        return cast(EmbeddedEksBackend, self.eks_backend)

    def _parameters(self) -> dict[str, Any]:
        body = json.loads(self.raw_body) if self.raw_body else {}
        query: dict[str, Any] = dict(self.normalized_request.args)
        path = {key.replace("_HYPHEN_", "-"): value for key, value in self.uri_match.items()}
        return {**query, **body, **path}

    def _cluster(self) -> tuple[EmbeddedCluster, dict[str, Any]]:
        parameters = self._parameters()
        return self._backend.additions(parameters.get("clusterName") or parameters["name"]), parameters

    # --- clusters ---

    def create_cluster(self) -> ActionResult:
        creator = find_principal(self.access_key)
        cluster = self._backend.create_embedded_cluster(self._parameters(), creator)
        return ActionResult({"cluster": self._describe(cluster)})

    def describe_cluster(self) -> ActionResult:
        cluster = self._backend.describe_cluster(name=self._parameters()["name"])
        return ActionResult({"cluster": self._describe(cluster)})

    def delete_cluster(self) -> ActionResult:
        name = self._parameters()["name"]
        shown = self._describe(self._backend.describe_cluster(name=name))
        self._backend.delete_cluster(name=name)
        return ActionResult({"cluster": {**shown, "status": "DELETING"}})

    def update_cluster_config(self) -> ActionResult:
        extra, parameters = self._cluster()
        cluster = self._backend.clusters[parameters["name"]]
        cluster.resources_vpc_config.update(parameters.get("resourcesVpcConfig") or {})
        cluster.logging = parameters.get("logging") or cluster.logging
        if access := parameters.get("accessConfig"):
            extra.access_config.update(access)
            extra.access_entries.authentication_mode = extra.access_config["authenticationMode"]
        for key in (
            "computeConfig",
            "storageConfig",
            "upgradePolicy",
            "zonalShiftConfig",
            "deletionProtection",
        ):
            if parameters.get(key) is not None:
                extra.options[key] = parameters[key]
        return ActionResult({"update": _finished_update("ConfigUpdate")})

    def update_cluster_version(self) -> ActionResult:
        _, parameters = self._cluster()
        self._backend.clusters[parameters["name"]].version = parameters["version"]
        return ActionResult({"update": _finished_update("VersionUpdate")})

    def describe_update(self) -> ActionResult:
        _, parameters = self._cluster()
        update = {**_finished_update("ConfigUpdate"), "id": parameters["updateId"]}
        return ActionResult({"update": update})

    def _describe(self, cluster: Any) -> dict[str, Any]:
        extra = self._backend.additions(cluster.name)
        return {
            "name": cluster.name,
            "arn": cluster.arn,
            "createdAt": cluster.created_at,
            "version": cluster.version,
            "endpoint": cluster.endpoint,
            "roleArn": cluster.role_arn,
            "resourcesVpcConfig": cluster.resources_vpc_config,
            "kubernetesNetworkConfig": cluster.kubernetes_network_config,
            "logging": cluster.logging,
            "identity": cluster.identity,
            "status": extra.status,
            "certificateAuthority": cluster.certificate_authority,
            "platformVersion": cluster.platformVersion,
            "tags": cluster.tags,
            "encryptionConfig": cluster.encryption_config,
            "health": {"issues": []},
            "accessConfig": extra.access_config,
            "upgradePolicy": {"supportType": "EXTENDED"},
            "deletionProtection": False,
            **extra.options,
        }

    # --- access entries ---

    def create_access_entry(self) -> ActionResult:
        extra, parameters = self._cluster()
        return ActionResult({"accessEntry": extra.access_entries.create(parameters).as_api()})

    def describe_access_entry(self) -> ActionResult:
        extra, parameters = self._cluster()
        return ActionResult({"accessEntry": extra.access_entries.get(parameters["principalArn"]).as_api()})

    def list_access_entries(self) -> ActionResult:
        extra, parameters = self._cluster()
        arns = extra.access_entries.list_arns(parameters.get("associatedPolicyArn"))
        return ActionResult({"accessEntries": arns})

    def update_access_entry(self) -> ActionResult:
        extra, parameters = self._cluster()
        entry = extra.access_entries.update(parameters["principalArn"], parameters)
        return ActionResult({"accessEntry": entry.as_api()})

    def delete_access_entry(self) -> ActionResult:
        extra, parameters = self._cluster()
        extra.access_entries.delete(parameters["principalArn"])
        return EmptyResult()

    def list_access_policies(self) -> ActionResult:
        policies = [{"name": arn.rpartition("/")[2], "arn": arn} for arn in POLICY_GROUPS]
        return ActionResult({"accessPolicies": policies})

    def associate_access_policy(self) -> ActionResult:
        extra, parameters = self._cluster()
        arn, policy = parameters["principalArn"], parameters["policyArn"]
        association = extra.access_entries.associate(arn, policy, parameters["accessScope"])
        name = parameters.get("clusterName") or parameters["name"]
        answer = {"clusterName": name, "principalArn": arn, "associatedAccessPolicy": association}
        return ActionResult(answer)

    def list_associated_access_policies(self) -> ActionResult:
        extra, parameters = self._cluster()
        entry = extra.access_entries.get(parameters["principalArn"])
        answer = {"clusterName": entry.cluster, "principalArn": entry.principal_arn}
        return ActionResult({**answer, "associatedAccessPolicies": list(entry.policies.values())})

    def disassociate_access_policy(self) -> ActionResult:
        extra, parameters = self._cluster()
        extra.access_entries.disassociate(parameters["principalArn"], parameters["policyArn"])
        return EmptyResult()

    # --- Pod Identity ---

    def create_pod_identity_association(self) -> ActionResult:
        extra, parameters = self._cluster()
        return ActionResult({"association": extra.associations.create(parameters).as_api()})

    def describe_pod_identity_association(self) -> ActionResult:
        extra, parameters = self._cluster()
        return ActionResult({"association": extra.associations.get(parameters["associationId"]).as_api()})

    def list_pod_identity_associations(self) -> ActionResult:
        extra, parameters = self._cluster()
        found = extra.associations.matching(parameters.get("namespace"), parameters.get("serviceAccount"))
        return ActionResult({"associations": [association.as_api() for association in found]})

    def update_pod_identity_association(self) -> ActionResult:
        extra, parameters = self._cluster()
        association = extra.associations.update(parameters["associationId"], parameters)
        return ActionResult({"association": association.as_api()})

    def delete_pod_identity_association(self) -> ActionResult:
        extra, parameters = self._cluster()
        return ActionResult({"association": extra.associations.delete(parameters["associationId"]).as_api()})

    # --- add-ons ---

    def create_addon(self) -> ActionResult:
        extra, parameters = self._cluster()
        if extra.status != "ACTIVE":
            name = parameters.get("clusterName") or parameters["name"]
            errors.invalid_request(f"Cluster '{name}' is not in ACTIVE status", name)
        return ActionResult({"addon": extra.addons.create(parameters)})

    def describe_addon(self) -> ActionResult:
        extra, parameters = self._cluster()
        return ActionResult({"addon": extra.addons.get(parameters["addonName"])})

    def list_addons(self) -> ActionResult:
        extra, _ = self._cluster()
        return ActionResult({"addons": extra.addons.names()})

    def update_addon(self) -> ActionResult:
        extra, parameters = self._cluster()
        extra.addons.update(parameters["addonName"], parameters)
        return ActionResult({"update": _finished_update("AddonUpdate")})

    def delete_addon(self) -> ActionResult:
        extra, parameters = self._cluster()
        return ActionResult({"addon": extra.addons.delete(parameters["addonName"])})

    def describe_addon_versions(self) -> ActionResult:
        wanted = self._parameters().get("addonName")
        found = [
            {"addonName": name, "addonVersions": [{"addonVersion": version}]}
            for name, version in addons.KNOWN_ADDONS.items()
            if wanted in (None, name)
        ]
        return ActionResult({"addons": found})

    # --- tags ---

    def _tags_of(self) -> dict[str, str]:
        arn = self._extract_arn_from_path()
        kind, _, rest = arn.rpartition(":")[2].partition("/")
        cluster, _, name = rest.partition("/")
        extra = self._backend.additions(cluster)
        if kind == "cluster":
            return self._backend.clusters[cluster].tags
        if kind == "podidentityassociation":
            return extra.associations.get(name).tags
        if kind == "access-entry":
            return extra.access_entries.by_arn(arn).tags
        if kind == "addon":
            return cast(dict[str, str], extra.addons.get(name.partition("/")[0])["tags"])
        return errors.not_found(f"The embedded EKS knows no resource {arn}.")

    def tag_resource(self) -> ActionResult:
        self._tags_of().update(self._parameters()["tags"])
        return EmptyResult()

    def untag_resource(self) -> ActionResult:
        tags = self._tags_of()
        for key in self.normalized_request.args.getlist("tagKeys"):
            tags.pop(key, None)
        return EmptyResult()

    def list_tags_for_resource(self) -> ActionResult:
        return ActionResult({"tags": self._tags_of()})


def _finished_update(kind: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    update = {"id": str(uuid4()), "status": "Successful", "type": kind, "params": [], "createdAt": now}
    return {**update, "errors": []}


def install(identity: CloudIdentity) -> None:
    """Make moto answer for EKS with these classes."""
    import moto.eks.urls
    from moto.eks.models import eks_backends

    EmbeddedEksBackend.identity = identity
    eks_backends.backend = EmbeddedEksBackend
    dispatch = EmbeddedEksResponse.dispatch
    paths = dict.fromkeys(moto.eks.urls.url_paths, dispatch)
    paths["{0}/clusters/(?P<rest>.+)$"] = dispatch
    paths["{0}/addons/(?P<rest>.+)$"] = dispatch
    paths["{0}/access-policies$"] = dispatch
    moto.eks.urls.url_paths = paths
