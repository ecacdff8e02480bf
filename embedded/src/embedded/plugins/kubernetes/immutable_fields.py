"""Which changes need a new object instead of an update of the old one.

The rules are the official plugin's (pulumi-kubernetes provider/pkg/provider/diff.go, v4), as far as the API
versions in use today go; it decides from this table and not by asking the server.
"""

from embedded.plugins.kubernetes.kinds import ObjectKind

Rule = tuple[str, ...]

_IDENTITY: tuple[Rule, ...] = (("metadata", "name"), ("metadata", "namespace"))


def _spec(names: str) -> tuple[Rule, ...]:
    return tuple(("spec", name) for name in names.split())


_POD_FIELDS = _spec(
    """affinity automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks hostAliases hostIPC
    hostNetwork hostPID hostname imagePullSecrets nodeName nodeSelector overhead preemptionPolicy priority
    priorityClassName readinessGates restartPolicy runtimeClassName schedulerName securityContext
    serviceAccount serviceAccountName shareProcessNamespace subdomain terminationGracePeriodSeconds volumes"""
)
_CONTAINER_FIELDS = _spec(
    """args command env image imagePullPolicy lifecycle livenessProbe ports readinessProbe resources
    securityContext stdin stdinOnce terminationMessagePath terminationMessagePolicy tty volumeDevices
    volumeMounts workingDir"""
)
_POD = _POD_FIELDS + tuple(
    ("spec", containers, "*", name)
    for containers in ("containers", "initContainers")
    for _, name in _CONTAINER_FIELDS
)
_VOLUME_SOURCES = _spec(
    """awsElasticBlockStore azureDisk azureFile cephfs cinder csi fc flexVolume flocker gcePersistentDisk
    glusterfs hostPath iscsi local nfs photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos
    vsphereVolume"""
)

_RULES: dict[tuple[str, str], tuple[Rule, ...]] = {
    ("apps", "DaemonSet"): _spec("selector"),
    ("apps", "Deployment"): _spec("selector"),
    ("apps", "StatefulSet"): _spec(
        "podManagementPolicy revisionHistoryLimit selector serviceName volumeClaimTemplates"
    ),
    ("batch", "Job"): _spec("completions parallelism selector template"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): (("roleRef",),),
    ("rbac.authorization.k8s.io", "RoleBinding"): (("roleRef",),),
    ("storage.k8s.io", "StorageClass"): (("parameters",), ("provisioner",)),
    ("", "PersistentVolume"): _VOLUME_SOURCES,
    ("", "PersistentVolumeClaim"): _spec("accessModes selector storageClassName volumeName"),
    ("", "Pod"): _POD,
    ("", "ResourceQuota"): _spec("scopes"),
    ("", "Secret"): (("type",),),
    ("", "Service"): _spec("clusterIP"),
}


def immutable_fields(
    kind: ObjectKind, *, frozen: bool, config_map_mutable: bool, secret_mutable: bool
) -> tuple[Rule, ...]:
    """Paths whose change replaces the object; `*` is any position in a list.

    A ConfigMap or Secret is replaced on any change of its data unless the provider is configured with
    enableConfigMapMutable or enableSecretMutable, and always when it is `frozen` (`immutable: true`).
    """
    rules = _IDENTITY + _RULES.get((kind.group, kind.kind), ())
    if kind.group == "" and kind.kind == "ConfigMap" and (frozen or not config_map_mutable):
        rules += (("data",), ("binaryData",))
    if kind.group == "" and kind.kind == "Secret" and (frozen or not secret_mutable):
        rules += (("data",), ("stringData",))
    return rules
