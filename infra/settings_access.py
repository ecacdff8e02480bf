"""Settings of how people reach Airflow: ingress, single sign-on, the first administrator."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from infra import naming
from infra.settings_model import DnsLabel, HostName, Model, inconsistent

# Annotations of the ingress that the program computes: a load balancer open to the world, or one without TLS,
# must not be a line in a stack file.
COMPUTED_ANNOTATIONS: Final = (
    "alb.ingress.kubernetes.io/scheme",
    "alb.ingress.kubernetes.io/target-type",
    "alb.ingress.kubernetes.io/listen-ports",
    "alb.ingress.kubernetes.io/healthcheck-path",
    "alb.ingress.kubernetes.io/certificate-arn",
)
# The API server refuses it beside ingressClassName:
# https://kubernetes.io/docs/concepts/services-networking/ingress/#deprecated-annotation
CLASS_ANNOTATION: Final = "kubernetes.io/ingress.class"
# The class of AWS's load balancer, which the cluster project makes.
LOAD_BALANCER_CLASS: Final = "alb"
AnnotationName = Annotated[
    str, Field(pattern=r"^([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$")
]
# Roles of Airflow's FAB auth manager:
# https://airflow.apache.org/docs/apache-airflow-providers-fab/stable/auth-manager/access-control.html
Role = Literal["Admin", "Op", "User", "Viewer"]


class OidcSettings(Model):
    """Single sign-on with OpenID Connect; people are registered at their first login."""

    issuer: str = Field(
        pattern=r"^https://[^\s?#]+[^\s?#/]$",
        max_length=2048,
        description="URL of the provider, as in its tokens; /.well-known/openid-configuration is below it.",
    )
    client_id: str = Field(
        min_length=1, max_length=512, description="Identifier of Airflow's client at the provider. No secret."
    )
    client_secret_name: DnsLabel = Field(
        description="Name of a Secret in the namespace with the client's secret under `client-secret`."
    )
    roles_claim: str = Field(
        default="groups",
        pattern=r"^[A-Za-z0-9_.:/-]{1,256}$",
        description="Claim of the ID token with a person's groups: a list of texts.",
    )
    roles: dict[Annotated[str, Field(min_length=1, max_length=256)], tuple[Role, ...]] = Field(
        min_length=1,
        description="Group at the provider -> roles in Airflow (Admin, Op, User, Viewer), at every login "
        "anew. Who is in none of the groups may log in and see nothing.",
    )

    @model_validator(mode="after")
    def _somebody_administers(self) -> Self:
        if not any("Admin" in roles for roles in self.roles.values()):
            raise inconsistent(
                ("roles", self.roles, "needs a group with role Admin; nobody else could be one")
            )
        return self


class AccessSettings(Model):
    """How people reach Airflow's API server; without a host only by port forwarding."""

    host: HostName | None = Field(
        default=None, description="Host name of the ingress; absent means no ingress."
    )
    ingress_class: DnsLabel = Field(
        default=LOAD_BALANCER_CLASS, description="IngressClass that serves the host."
    )
    certificate_arn: str | None = Field(
        default=None,
        pattern=r"^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[\w-]+$",
        description="ACM certificate of the host; without it the load balancer looks for one by host name.",
    )
    tls_secret_name: DnsLabel | None = Field(
        default=None,
        description="Secret of type kubernetes.io/tls with the host's certificate, for an ingress controller "
        "that takes it from there.",
    )
    ingress_annotations: dict[AnnotationName, str] = Field(
        default_factory=dict,
        description="More annotations of the ingress, for its controller. The load balancer stays internal, "
        "with TLS: those annotations are the program's.",
    )
    oidc: OidcSettings | None = Field(
        default=None,
        description="Single sign-on with OpenID Connect in place of passwords; there is no first "
        "administrator then. Absent: users and passwords in the metadata database.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        needs_host = {
            "certificateArn": self.certificate_arn,
            "tlsSecretName": self.tls_secret_name,
            "ingressAnnotations": self.ingress_annotations or None,
            # The default is what a file says that only has the same keys as another one.
            "ingressClass": None if self.ingress_class == LOAD_BALANCER_CLASS else self.ingress_class,
            # The provider sends the browser back to an address that it knows.
            "oidc": self.oidc and self.oidc.issuer,
        }
        mistakes: list[tuple[str, object, str]] = [
            (key, value, "has no effect without host")
            for key, value in needs_host.items()
            if value is not None and self.host is None
        ]
        if self.certificate_arn is not None and self.tls_secret_name is not None:
            mistakes.append(
                ("tlsSecretName", self.tls_secret_name, "set one of: certificateArn, tlsSecretName")
            )
        mistakes += [*self._tls_mistakes(), *self._annotation_mistakes()]
        if mistakes:
            raise inconsistent(*mistakes)
        return self

    def _tls_mistakes(self) -> list[tuple[str, object, str]]:
        """AWS's controller finds a certificate by the host's name; others serve plain HTTP without one."""
        certified = self.certificate_arn is not None or self.tls_secret_name is not None
        if self.host is None or certified or self.ingress_class == LOAD_BALANCER_CLASS:
            return []
        needs = (
            f"ingressClass {self.ingress_class} needs it: without a certificate the host would be served "
            "without TLS. Name a Secret of type kubernetes.io/tls; or set certificateArn, where the class is "
            "one of AWS's load balancers"
        )
        return [("tlsSecretName", None, needs)]

    def _annotation_mistakes(self) -> list[tuple[str, object, str]]:
        instead = dict.fromkeys(COMPUTED_ANNOTATIONS, "the program sets this annotation itself; remove it")
        instead[CLASS_ANNOTATION] = (
            "Kubernetes refuses it beside the class's own field; remove it, and set access.ingressClass"
        )
        return [
            (f"ingressAnnotations.{name}", value, instead[name])
            for name, value in self.ingress_annotations.items()
            if name in instead
        ]


class AdministratorSettings(Model):
    """The first administrator of Airflow; the password is generated and kept in a Secret."""

    username: str = Field(
        default="admin",
        pattern=r"^[A-Za-z0-9._@+-]{1,64}$",
        description="Name to log in with, for the first time.",
    )
    email: str = Field(
        default="admin@example.invalid",
        pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$",
        max_length=254,
        description="E-mail address; Airflow requires one and sends nothing to it by itself.",
    )

    @model_validator(mode="after")
    def _not_the_canary(self) -> Self:
        """The migration Job makes the canary's user by this name, with its own role, or removes it.

        Airflow compares names without their case, as Flask-AppBuilder's AUTH_USERNAME_CI is by default.
        """
        if self.username.lower() == naming.CANARY_USER:
            allowed = "is the canary's own user, who is no administrator; take another name"
            raise inconsistent(("username", self.username, allowed))
        return self
