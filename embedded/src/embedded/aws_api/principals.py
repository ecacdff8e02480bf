"""Who an access key belongs to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from embedded.aws_api import ACCOUNT_ID


@dataclass(frozen=True)
class Principal:
    """An IAM user, or a session of a role."""

    arn: str
    """As STS tells it: `arn:aws:iam::..:user/x` or `arn:aws:sts::..:assumed-role/role/session`."""
    policy_arn: str
    """What policies and access entries name: the user's ARN or the role's."""
    session_name: str
    """Empty for users."""
    user_id: str
    secret_access_key: str
    session_token: str
    """Empty for users; a request of a session must carry it."""
    expires_at: Any
    """A naive UTC datetime for sessions, else None."""
    session_policy: str = ""
    """The policy that was given when the session was made; it can only narrow what the role may do."""
    session_tags: Mapping[str, str] = field(default_factory=dict)
    """Tags of the session, as Pod Identity sets them."""


def find_principal(access_key: str) -> Principal | None:
    """The owner of an access key of this account, or None if the key is unknown or inactive."""
    from moto.iam.models import iam_backends
    from moto.sts.models import sts_backends

    session = sts_backends[ACCOUNT_ID]["aws"].get_assumed_role_from_access_key(access_key)
    if session:
        return Principal(
            arn=session.arn,
            policy_arn=session.role_arn,
            session_name=session.session_name,
            user_id=session.user_id,
            secret_access_key=session.secret_access_key,
            session_token=session.session_token,
            expires_at=session.expiration,
            session_policy=str(session.policy or ""),
            session_tags=getattr(session, "session_tags", {}),
        )
    for user in iam_backends[ACCOUNT_ID]["aws"].users.values():
        for key in user.access_keys:
            if key.access_key_id == access_key and key.status == "Active":
                return Principal(user.arn, user.arn, "", user.id, key.secret_access_key, "", None)
    from embedded.aws_api import controller_sessions

    return controller_sessions.find(access_key)


def find_role(role_arn: str) -> Any | None:
    """moto's role with this ARN, or None."""
    from moto.iam.models import iam_backends

    roles = iam_backends[ACCOUNT_ID]["aws"].roles.values()
    return next((role for role in roles if role.arn == role_arn), None)


def principal_exists(arn: str) -> bool:
    """Whether an IAM user or role has this ARN."""
    from moto.iam.models import iam_backends

    users = iam_backends[ACCOUNT_ID]["aws"].users.values()
    return find_role(arn) is not None or any(user.arn == arn for user in users)
