"""Secrets Manager's side of RDS-managed master secrets: rotation, and who may change them."""

from typing import Any

from moto.secretsmanager.exceptions import InvalidRequestException
from moto.secretsmanager.models import FakeSecret, SecretsManagerBackend

from embedded.rds import passwords
from embedded.rds.jobs import InstanceJobs, all_instances

_MANAGED_MESSAGE = "You can't perform this operation on the secret because it's managed by the service rds."


class EmbeddedSecretsManagerBackend(SecretsManagerBackend):
    """Secrets Manager of one region. `jobs` is set once at start."""

    jobs: InstanceJobs

    @property
    def _url_module(self) -> Any:
        import moto.secretsmanager.urls

        return moto.secretsmanager.urls

    def rotate_secret(
        self,
        secret_id: str,
        client_request_token: str | None = None,
        rotation_lambda_arn: str | None = None,
        rotation_rules: dict[str, Any] | None = None,
        rotate_immediately: bool = True,
    ) -> str:
        """RotateSecret: for a master secret, a new password in the secret and in Postgres."""
        secret = self.secrets.get(secret_id)
        if secret is None or secret.owning_service != "rds":
            return super().rotate_secret(
                secret_id, client_request_token, rotation_lambda_arn, rotation_rules, rotate_immediately
            )
        for instance in all_instances():
            own = getattr(instance, "master_user_secret", None)
            if own is not None and own.secret.arn == secret.arn:
                if instance.status != "available":
                    raise InvalidRequestException("The database instance of this secret is not available.")
                content = passwords.secret_string(str(instance.master_username), passwords.generate())
                token = client_request_token or ""
                answer = super().put_secret_value(secret_id, content, None, token, ["AWSCURRENT"])  # type: ignore[arg-type]
                self._keep_rotation(secret, rotation_rules)
                # Within the request: who reads the new password can log in with it.
                self.jobs.apply_password(instance)
                return answer
        raise InvalidRequestException("The secret belongs to no database instance.")

    @staticmethod
    def _keep_rotation(secret: Any, rules: dict[str, Any] | None) -> None:
        # RotateSecret also says when to do it again, from then on without being asked.
        if rules and rules.get("AutomaticallyAfterDays"):
            secret.auto_rotate_after_days = rules["AutomaticallyAfterDays"]
            secret.rotation_requested = secret.rotation_enabled = True

    def cancel_rotate_secret(self, secret_id: str) -> str:
        """CancelRotateSecret: a master secret has no function that moto could look for."""
        secret = self.secrets.get(secret_id)
        if not isinstance(secret, FakeSecret) or secret.owning_service != "rds":
            return super().cancel_rotate_secret(secret_id)
        secret.rotation_enabled = False
        return str(secret.to_short_dict())

    def put_secret_value(self, secret_id: str, *arguments: Any, **options: Any) -> str:
        """PutSecretValue: refused for master secrets."""
        self._refuse_managed(secret_id)
        return super().put_secret_value(secret_id, *arguments, **options)

    def update_secret(self, secret_id: str, *arguments: Any, **options: Any) -> str:
        """UpdateSecret: refused for master secrets."""
        self._refuse_managed(secret_id)
        return super().update_secret(secret_id, *arguments, **options)

    def _refuse_managed(self, secret_id: str) -> None:
        secret = self.secrets.get(secret_id)
        if secret is not None and secret.owning_service == "rds":
            raise InvalidRequestException(_MANAGED_MESSAGE)
