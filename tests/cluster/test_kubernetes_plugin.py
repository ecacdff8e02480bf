"""The kubernetes plugin with the real engine and real API servers; kubectl and helm are the witnesses.

Inside `embedded run --` the cluster is the embedded cloud's; elsewhere a bare control plane stands in for
everything that needs no pods.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from embedded.setup import Toolchain
from kubernetes_plugin_world import World, new_world
from pulumi import automation

pytestmark = pytest.mark.control_plane

IMAGE = "apache/airflow"
SECRET = "a-secret-of-this-test"

OBJECTS = """
k8s.core.v1.ConfigMap("settings", metadata=meta("settings"), data={"colour": "blue"}, opts=options)
secret = k8s.core.v1.Secret("password", metadata=meta(), opts=options,
    string_data={"password": pulumi.Output.secret("a-secret-of-this-test")})
k8s.core.v1.ServiceAccount("runner", metadata=meta(), opts=options)
k8s.rbac.v1.Role("reader", metadata=meta(), opts=options,
    rules=[{"api_groups": [""], "resources": ["pods"], "verbs": ["get"]}])
pulumi.export("name", secret.metadata.name)
"""
RELEASE = """
release = k8s.helm.v3.Release("web", chart="./chart", name="web", namespace=namespace.metadata.name,
    timeout=60, values={"password": pulumi.Output.secret("a-secret-of-this-test")}, opts=options)
pulumi.export("revision", release.status.revision)
"""


@pytest.fixture(scope="module")
def deployed(tools: Toolchain, kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Objects and a release, deployed once for the tests that only look at them."""
    with new_world(tools, kubeconfig, tmp_path_factory.mktemp("deployed")) as made:
        made.write(OBJECTS, RELEASE)
        made.chart("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n")
        made.up()
        yield made


@pytest.fixture
def node(world: World) -> World:
    """The world, when its cluster can run pods of the Airflow image."""
    nodes = json.loads(world.kubectl("get", "nodes", "-o", "json"))["items"]
    images = [image for one in nodes for image in one["status"].get("images") or []]
    # The kubelet also reports images that lost their names to newer ones: `names` is null there.
    found = [name for image in images for name in image.get("names") or [] if f"{IMAGE}:" in name]
    if not found:
        pytest.skip(f"needs a node with the image {IMAGE}: embedded run -- pytest -m cluster")
    return world


def test_objects_live_and_die_with_their_stack(world: World) -> None:
    world.write(OBJECTS)
    assert world.up()["create"] == 7
    assert world.get("configmap", "settings")["data"] == {"colour": "blue"}
    assert {one["metadata"]["name"].split("-")[0] for one in world.get("role")["items"]} == {"reader"}
    world.stack.destroy(color="never")
    assert world.kubectl("get", "namespace", world.namespace, "--ignore-not-found") == ""


def test_nothing_changes_when_the_program_does_not(deployed: World) -> None:
    before = deployed.get("configmap", "settings")["metadata"]["resourceVersion"]
    assert set(deployed.up()) == {"same"}
    assert deployed.get("configmap", "settings")["metadata"]["resourceVersion"] == before


def test_no_secret_is_in_the_state_in_plain_text(deployed: World) -> None:
    state = deployed.directory.parent / "backend" / ".pulumi" / "stacks"
    texts = [file.read_text() for file in state.rglob("*.json*")]
    assert any('"password"' in text or "password-" in text for text in texts), "no state was looked at"
    encoded = base64.b64encode(SECRET.encode()).decode()
    assert [text for text in texts if SECRET in text or encoded in text] == []


def test_refresh_sees_what_kubectl_changed(deployed: World) -> None:
    deployed.kubectl("patch", "configmap", "settings", "-p", '{"data":{"colour":"red"}}')
    assert (deployed.stack.refresh(color="never").summary.resource_changes or {})["update"] == 1
    assert deployed.stack.preview(color="never").change_summary.get("update") == 1


def test_an_object_of_somebody_else_is_left_alone(world: World) -> None:
    world.write()
    world.up()
    world.kubectl("create", "configmap", "settings", "--from-literal=owner=somebody")
    world.write(OBJECTS)
    with pytest.raises(automation.CommandError, match="already exists and was not made by this resource"):
        world.up()
    assert world.get("configmap", "settings")["data"] == {"owner": "somebody"}


def test_a_preview_tells_what_the_api_server_would_refuse(world: World) -> None:
    world.write()
    world.up()
    world.write('k8s.core.v1.ConfigMap("bad", metadata=meta("bad"), data={"a b": "1"}, opts=options)\n')
    with pytest.raises(automation.CommandError, match=r"would refuse it.*a valid config key"):
        world.stack.preview(color="never")


def test_a_namespace_that_does_not_go_names_what_holds_it(world: World) -> None:
    world.write()
    world.up()
    world.kubectl("create", "configmap", "held")
    world.kubectl("patch", "configmap", "held", "-p", '{"metadata":{"finalizers":["example.com/hold"]}}')
    world.write("")
    program = (world.directory / "__main__.py").read_text()
    patient = program.replace(
        "opts=options)\ndef meta",
        'opts=pulumi.ResourceOptions(provider=provider, custom_timeouts={"delete": "3s"}))\ndef meta',
    )
    assert patient != program
    (world.directory / "__main__.py").write_text(patient)
    world.up()
    with pytest.raises(automation.CommandError, match=r"configmaps/held \(finalizers example\.com/hold"):
        world.stack.destroy(color="never")


def test_a_release_follows_its_chart_and_goes_without_residue(world: World) -> None:
    world.write(RELEASE)
    world.chart("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {step: first}\n")
    world.up()
    world.chart("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {step: second}\n")
    assert world.up()["update"] == 1
    assert world.get("configmap", "web")["data"] == {"step": "second"}
    (listed,) = json.loads(world.helm("list", "--all", "--output", "json"))
    assert (listed["status"], listed["revision"]) == ("deployed", "2")
    world.write()
    world.up()
    assert json.loads(world.helm("list", "--all", "--output", "json")) == []
    assert world.kubectl("get", "configmap", "web", "--ignore-not-found") == ""


def _mark_pending(world: World, revision: int = 1, state: str = "pending-install") -> None:
    """Make helm's record look as if the operation had been cut off."""
    record = f"sh.helm.release.v1.web.v{revision}"
    patch = {"metadata": {"labels": {"status": state}}}
    world.kubectl("patch", "secret", record, "-p", json.dumps(patch))
    stored = world.get("secret", record)["data"]["release"]
    release = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(stored))))
    release["info"]["status"] = state
    text = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(release).encode()))).decode()
    world.kubectl("patch", "secret", record, "-p", json.dumps({"data": {"release": text}}))


@pytest.mark.parametrize("cut_off", [True, False], ids=["cut off", "in use"])
def test_a_release_that_the_state_does_not_know(world: World, cut_off: bool) -> None:
    """What a killed run left is no obstacle; what somebody uses is."""
    world.write()
    world.up()
    world.chart("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {step: first}\n")
    world.helm("install", "web", str(world.directory / "chart"))
    world.write(RELEASE)
    if cut_off:
        _mark_pending(world)
        assert world.up()["create"] == 1
    else:
        with pytest.raises(automation.CommandError, match="cannot re-use a name that is still in use"):
            world.up()
    (listed,) = json.loads(world.helm("list", "--all", "--output", "json"))
    assert listed["status"] == "deployed"


STEP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {step: '{{ .Values.step }}'}\n"


def _stepped(step: str) -> str:
    return RELEASE.replace("values={", f'values={{"step": "{step}", ')


def test_a_preview_names_the_values_that_change_and_a_cut_off_upgrade_is_no_obstacle(world: World) -> None:
    world.chart(STEP)
    world.write(_stepped("first"))
    world.up()
    world.write(_stepped("second"))
    told = world.stack.preview(color="never", diff=True).stdout
    (line,) = (line for line in told.splitlines() if "step" in line)
    assert '"first" => "second"' in line
    assert SECRET not in told
    world.up()
    _mark_pending(world, revision=2, state="pending-upgrade")
    world.write(_stepped("third"))
    assert world.up()["update"] == 1
    assert world.get("configmap", "web")["data"] == {"step": "third"}
    (listed,) = json.loads(world.helm("list", "--all", "--output", "json"))
    assert listed["status"] == "deployed"


def _pod(command: str, image: str = f"{IMAGE}:3.2.2") -> dict[str, Any]:
    return {
        "terminationGracePeriodSeconds": 0,
        "containers": [
            {
                "name": "main",
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "command": ["bash", "-c", command],
                "resources": {"requests": {"cpu": "1m"}},
            }
        ],
    }


def _failing(raised: Callable[[], Any]) -> str:
    with pytest.raises(automation.CommandError) as told:
        raised()
    return str(told.value)


@pytest.mark.cluster
def test_a_failed_job_shows_why_and_the_end_of_its_log(node: World) -> None:
    pod = {**_pod("echo the table is missing; exit 3"), "restartPolicy": "Never"}
    spec = {"backoffLimit": 0, "template": {"spec": pod}}
    node.write(f'k8s.batch.v1.Job("job", metadata=meta("job"), spec={spec!r}, opts=options)\n')
    told = _failing(node.up)
    for part in ("BackoffLimitExceeded", "exit code 3", "the table is missing"):
        assert part in told


@pytest.mark.cluster
def test_a_deployment_that_is_not_ready_is_told_of_and_mended_by_the_next_run(node: World) -> None:
    def deployment(image: str) -> str:
        labels = {"app": "web"}
        template = {"metadata": {"labels": labels}, "spec": _pod("sleep 1000", image)}
        spec = {"selector": {"matchLabels": labels}, "template": template}
        annotations = {"pulumi.com/timeoutSeconds": "60" if IMAGE in image else "8"}
        arguments = f'metadata=meta("web", annotations={annotations!r}), spec={spec!r}, opts=options'
        return f'k8s.apps.v1.Deployment("web", {arguments})\n'

    node.write(deployment("registry.invalid/nothing:1"))
    assert "not ready after 8 s, waiting for replicas to be available (0 of 1)" in _failing(node.up)
    node.write(deployment(f"{IMAGE}:3.2.2"))
    assert node.up()["update"] == 1
    assert node.get("deployment", "web")["status"]["availableReplicas"] == 1


@pytest.mark.cluster
def test_a_release_whose_pods_fail_shows_their_log_without_secrets(node: World) -> None:
    pod = _pod("echo connecting with {{ .Values.password }}; echo no such host; exit 1")
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": pod}
    # Without a probe helm takes the moment before the container ends for readiness.
    pod["containers"][0]["readinessProbe"] = {"exec": {"command": ["false"]}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    metadata = {"name": "web"}
    node.chart(
        json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})
    )
    node.write(RELEASE.replace("timeout=60", "timeout=10"))
    told = _failing(node.up)
    assert "connecting with [secret]" in told
    assert "no such host" in told
    assert SECRET not in told
