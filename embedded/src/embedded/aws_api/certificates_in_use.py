"""A mend of moto's certificates: which load balancers use one, at this moment.

moto notes the first use and never forgets it. https://docs.aws.amazon.com/acm/latest/APIReference/API_CertificateDetail.html
"""

from typing import Any

from embedded.aws_api import ACCOUNT_ID


def install() -> None:
    """Let certificates look for who uses them; what moto notes is dropped."""
    from moto.acm.models import CertBundle

    CertBundle.in_use_by = property(  # type: ignore[assignment]
        lambda bundle: users_of(str(bundle.arn)), lambda _bundle, _noted: None
    )


def users_of(arn: str) -> list[str]:
    """ARNs of the load balancers with a listener that has the certificate."""
    from moto.elbv2.models import elbv2_backends

    balancers = elbv2_backends[ACCOUNT_ID][arn.split(":")[3]].load_balancers.values()
    return [
        str(one.arn) for one in balancers if any(_has(listener, arn) for listener in one.listeners.values())
    ]


def _has(listener: Any, arn: str) -> bool:
    return arn == listener.certificate or arn in (listener.certificates or ())
