"""Encrypts all that is encrypted in Airflow's database with the Fernet key in use; runs in a Job.

Airflow's own command does it; then each value is tried with that key alone, since the next rotation drops the
previous key. Every step may be repeated. Needs Airflow's connection and AIRFLOW__CORE__FERNET_KEY.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

# Pods that are still ending may write with the previous key in between.
ATTEMPTS = 3

# Where Airflow keeps encrypted text: table, column, and the condition that it is encrypted.
ENCRYPTED = (
    ("connection", "password", "is_encrypted"),
    ("connection", "extra", "is_extra_encrypted"),
    ("variable", "val", "is_encrypted"),
    ("trigger", "kwargs", "true"),  # the model names the attribute encrypted_kwargs
)


def main() -> None:
    """Rotate, then look at every value; exit with an error when one needs another key."""
    key = os.environ["AIRFLOW__CORE__FERNET_KEY"].split(",")[0]
    for _ in range(ATTEMPTS):
        subprocess.run(["airflow", "rotate-fernet-key"], check=True)
        looked_at, left = 0, []
        for place, token in encrypted_values():
            looked_at += 1
            if not readable(token, key):
                left.append(place)
        if not left:
            print(f"all {looked_at} encrypted values are readable by the key in use", flush=True)
            return
    sys.exit(f"{len(left)} of {looked_at} values need another key, in: {', '.join(sorted(set(left)))}")


def encrypted_values() -> Iterator[tuple[str, str]]:
    """Table and column, and the text, of everything that is encrypted."""
    from airflow import settings  # type: ignore[import-not-found]
    from sqlalchemy import text  # type: ignore[import-not-found]

    with settings.engine.connect() as connection:
        for table, column, condition in ENCRYPTED:
            query = f"SELECT {column} FROM {table} WHERE {condition} AND {column} <> ''"  # noqa: S608 - constants
            for (value,) in connection.execute(text(query)):
                yield f"{table}.{column}", value


def readable(token: str, key: str) -> bool:
    """Whether `key` alone decrypts `token`."""
    from cryptography.fernet import Fernet, InvalidToken

    try:
        Fernet(key).decrypt(token.encode())
    except InvalidToken:
        return False
    return True


if __name__ == "__main__":
    main()
