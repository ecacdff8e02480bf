"""Single sign-on with OpenID Connect for Airflow's FAB auth manager; mounted where `access.oidc` is set.

Runs in the API server, as Flask configuration: https://flask-appbuilder.readthedocs.io/en/latest/security.html
The parameters come from the variable AIRFLOW_OIDC, the client's secret from AIRFLOW_OIDC_CLIENT_SECRET.
"""

from __future__ import annotations

import json
import os
from typing import Any

from airflow.providers.fab.auth_manager.security_manager.override import (  # type: ignore[import-not-found]
    FabAirflowSecurityManagerOverride,
)

_PARAMETERS = json.loads(os.environ["AIRFLOW_OIDC"])
_PROVIDER = "oidc"

AUTH_TYPE = 4  # OAuth, which OpenID Connect is built on; flask_appbuilder.const.AUTH_OAUTH
AUTH_USER_REGISTRATION = True
AUTH_USER_REGISTRATION_ROLE = "Public"  # sees nothing
AUTH_ROLES_SYNC_AT_LOGIN = True
AUTH_ROLES_MAPPING = _PARAMETERS["roles"]

OAUTH_PROVIDERS = [
    {
        "name": _PROVIDER,
        "icon": "fa-key",
        "token_key": "access_token",
        "remote_app": {
            "client_id": _PARAMETERS["client_id"],
            "client_secret": os.environ["AIRFLOW_OIDC_CLIENT_SECRET"],
            "server_metadata_url": f"{_PARAMETERS['issuer']}/.well-known/openid-configuration",
            "client_kwargs": {"scope": "openid email profile", "code_challenge_method": "S256"},
        },
    }
]


class OidcSecurityManager(FabAirflowSecurityManagerOverride):  # type: ignore[misc]
    """Takes a person's name and groups from the ID token."""

    def get_oauth_user_info(self, provider: str, resp: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Return the person in FAB's words; `resp` is the provider's answer, with a verified ID token."""
        # The library has checked signature, issuer, audience and nonce of these claims.
        claims = resp["userinfo"]
        groups = claims.get(_PARAMETERS["roles_claim"]) or []
        return {
            # An address or a name can pass from one person to another; a subject never does.
            "username": claims["sub"],
            "email": claims.get("email", ""),
            "first_name": claims.get("given_name") or claims.get("name", ""),
            "last_name": claims.get("family_name", ""),
            "role_keys": [groups] if isinstance(groups, str) else list(groups),
        }


SECURITY_MANAGER_CLASS = OidcSecurityManager
