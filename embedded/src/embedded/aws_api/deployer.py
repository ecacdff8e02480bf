"""The identity that deploys to the embedded account: an IAM user with an access key and full rights."""

import json
from dataclasses import dataclass
from pathlib import Path

from embedded.aws_api import ACCOUNT_ID
from embedded.errors import EmbeddedError
from embedded.files import write_private
from embedded.identity import CloudIdentity

USER_NAME = "deployer"
_POLICY = "arn:aws:iam::aws:policy/AdministratorAccess"


@dataclass(frozen=True)
class DeployerCredentials:
    """An access key of the account. The secret is left out of the text form."""

    access_key_id: str
    secret_access_key: str

    def __repr__(self) -> str:
        return f"DeployerCredentials({self.access_key_id})"


def credentials_path(identity: CloudIdentity) -> Path:
    """Where the key is kept, mode 0600."""
    return identity.state_directory / "aws" / "deployer.json"


def deployer_credentials(identity: CloudIdentity) -> DeployerCredentials:
    """The deployer's key.

    Raises:
        EmbeddedError: the AWS part of this cloud has never been started.
    """
    return read_credentials(credentials_path(identity))


def read_credentials(path: Path) -> DeployerCredentials:
    """A key that the AWS part wrote.

    Raises:
        EmbeddedError: the AWS part of this cloud has never been started.
    """
    try:
        stored = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise EmbeddedError("The embedded AWS account has no deployer yet.", "Run `embedded up`.") from error
    except (OSError, ValueError) as error:
        raise _unreadable(path) from error
    try:
        return DeployerCredentials(str(stored["access_key_id"]), str(stored["secret_access_key"]))
    except (KeyError, TypeError) as error:
        raise _unreadable(path) from error


def _unreadable(path: Path) -> EmbeddedError:
    return EmbeddedError(
        f"{path} cannot be read or holds no key.",
        "Run `embedded down` and `embedded up`: the account makes a new key.",
    )


def is_readable(path: Path) -> bool:
    """Whether there is a key in the file."""
    try:
        read_credentials(path)
    except EmbeddedError:
        return False
    return True


def ensure_deployer(identity: CloudIdentity) -> bool:
    """Make the user and its key if the account or the disk lacks them; true when something was made."""
    from moto.iam.models import iam_backends

    iam = iam_backends[ACCOUNT_ID]["aws"]
    path = credentials_path(identity)
    if USER_NAME not in iam.users:
        iam.create_user("aws", USER_NAME)
        iam.attach_user_policy(_POLICY, USER_NAME)
    elif is_readable(path):
        return False
    for key in list(iam.get_user(USER_NAME).access_keys):
        iam.delete_access_key(key.access_key_id, USER_NAME)
    key = iam.create_access_key(USER_NAME)
    content = {"access_key_id": key.access_key_id, "secret_access_key": key.secret_access_key}
    write_private(path, json.dumps(content).encode())
    return True
