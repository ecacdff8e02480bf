"""A mend of moto's load balancers: the DNS name of one that is internal says so.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html
"""

import zlib
from typing import Any

from moto.elbv2.models import ELBv2Backend


def install() -> None:
    """Let CreateLoadBalancer give names as AWS does: `internal-NAME-NUMBER.REGION.elb.amazonaws.com`."""
    create = ELBv2Backend.create_load_balancer

    def create_load_balancer(backend: ELBv2Backend, *given: Any, **named: Any) -> Any:
        made = create(backend, *given, **named)
        prefix = "internal-" if made.scheme == "internal" else ""
        number = zlib.crc32(made.arn.encode()) % 2**31
        made.dns_name = f"{prefix}{made.name}-{number}.{backend.region_name}.elb.amazonaws.com"
        return made

    ELBv2Backend.create_load_balancer = create_load_balancer  # type: ignore[method-assign, assignment]
