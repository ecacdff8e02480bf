"""Passwords of master users, as RDS generates them."""

import json
import secrets
import string

# RDS leaves out what needs quoting in connection URLs: / ' " @ and blanks.
_ALPHABET = string.ascii_letters + string.digits + "!#$%&()*+-.:<=>?[]^_{|}~"
_LENGTH = 28


def generate() -> str:
    """A random password."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def secret_string(username: str, password: str) -> str:
    """The content of a master user secret: exactly these two keys, as RDS writes them."""
    return json.dumps({"username": username, "password": password})


def password_of(secret_string_text: str) -> str:
    """The password in a master user secret."""
    return str(json.loads(secret_string_text)["password"])
