"""What the admission webhook does to a pod, with a JSON patch library as the judge."""

import copy
from decimal import Decimal
from typing import Any

import jsonpatch
import pytest
from embedded.admission.mutation import CA_VOLUME, TOKEN_VOLUME, PodContext, patch
from embedded.admission.quantities import scaled_cpu
from hypothesis import given
from hypothesis import strategies as st

EVERYTHING = PodContext("eu-west-1", "https://10.0.0.1:443", True)
NOTHING = PodContext("eu-west-1", None, False)


def container(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "image": "i", **more}


def applied(pod: dict[str, Any], context: PodContext) -> dict[str, Any]:
    result: dict[str, Any] = jsonpatch.JsonPatch(patch(pod, context)).apply(copy.deepcopy(pod))
    return result


def environment(one: dict[str, Any]) -> dict[str, Any]:
    return {entry["name"]: entry.get("value") for entry in one.get("env", [])}


def test_containers_and_init_containers_get_credentials_endpoint_and_trust() -> None:
    pod = {"metadata": {}, "spec": {"containers": [container("a")], "initContainers": [container("b")]}}
    spec = applied(pod, EVERYTHING)["spec"]
    for one in [*spec["containers"], *spec["initContainers"]]:
        values = environment(one)
        assert values["AWS_CONTAINER_CREDENTIALS_FULL_URI"] == "http://169.254.170.23/v1/credentials"
        assert values["AWS_ENDPOINT_URL"] == "https://10.0.0.1:443"
        paths = {mount["name"]: mount["mountPath"] for mount in one["volumeMounts"]}
        assert values["AWS_CA_BUNDLE"] == f"{paths[CA_VOLUME]}/ca.crt"
        assert values["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"].startswith(paths[TOKEN_VOLUME])
    volumes = {volume["name"]: volume["projected"]["sources"][0] for volume in spec["volumes"]}
    assert volumes[CA_VOLUME]["configMap"]["name"] == "kube-root-ca.crt"
    assert volumes[TOKEN_VOLUME]["serviceAccountToken"]["audience"] == "pods.eks.amazonaws.com"


def test_a_pod_without_association_gets_no_credentials() -> None:
    pod = {"metadata": {}, "spec": {"containers": [container("a")]}}
    result = applied(pod, PodContext("eu-west-1", "https://10.0.0.1:443", False))
    names = set(environment(result["spec"]["containers"][0]))
    assert names == {"AWS_ENDPOINT_URL", "AWS_CA_BUNDLE"}
    assert [volume["name"] for volume in result["spec"]["volumes"]] == [CA_VOLUME]


def test_nothing_changes_in_a_pod_the_cloud_has_no_part_in() -> None:
    assert patch({"metadata": {}, "spec": {"containers": [container("a")]}}, NOTHING) == []


def test_what_a_pod_sets_itself_stays() -> None:
    own = [{"name": "AWS_REGION", "value": "mine"}, {"name": "AWS_ENDPOINT_URL", "valueFrom": {"x": "y"}}]
    pod = {"metadata": {}, "spec": {"containers": [container("a", env=own)]}}
    env = applied(pod, EVERYTHING)["spec"]["containers"][0]["env"]
    assert env[:2] == own
    assert [entry["name"] for entry in env].count("AWS_ENDPOINT_URL") == 1


_containers = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["a", "b", "c"]), "image": st.just("i")},
        optional={
            "env": st.lists(
                st.fixed_dictionaries({"name": st.sampled_from(["AWS_REGION", "X"]), "value": st.text()})
            ),
            "resources": st.fixed_dictionaries(
                {},
                optional={
                    "requests": st.fixed_dictionaries(
                        {}, optional={"cpu": st.sampled_from(["1", "250m", "0.5", "1m"])}
                    ),
                    "limits": st.fixed_dictionaries({}, optional={"cpu": st.sampled_from(["2", "500m"])}),
                },
            ),
        },
    ),
    min_size=1,
    max_size=3,
)


@given(_containers, _containers, st.sampled_from([EVERYTHING, NOTHING]))
def test_a_second_pass_changes_nothing(first: Any, second: Any, context: PodContext) -> None:
    pod = {"metadata": {}, "spec": {"containers": first, "initContainers": second}}
    assert patch(applied(pod, context), context) == []


def test_cpu_requests_are_scaled_and_limits_and_memory_are_not() -> None:
    resources = {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"cpu": "2"}}
    pod = {"metadata": {}, "spec": {"containers": [container("a", resources=resources)]}}
    after = applied(pod, NOTHING)["spec"]["containers"][0]["resources"]
    assert after == {"requests": {"cpu": "100m", "memory": "2Gi"}, "limits": {"cpu": "2"}}


def test_a_limit_alone_is_a_request_and_is_scaled_as_one() -> None:
    pod = {"metadata": {}, "spec": {"containers": [container("a", resources={"limits": {"cpu": "1"}})]}}
    after = applied(pod, NOTHING)["spec"]["containers"][0]["resources"]
    assert after == {"requests": {"cpu": "100m"}, "limits": {"cpu": "1"}}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("5m", "1m"),
        ("1m", "1m"),
        ("500m", "50m"),
        ("1.5", "150m"),
        ("16", "200m"),
        ("0", "0"),
        ("weird", "weird"),
    ],
)
def test_cpu_quantities(before: str, after: str) -> None:
    assert scaled_cpu(before, Decimal("0.1"), 1, 200) == after
