"""What deployments put into the account and the cluster: how many things of each kind, whatever their names.

Read from what the account's process saves and from all objects of Kubernetes, no API by kind and no state of
the engine. Run as a command, this prints the lines of now.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cluster"))

import residue

Lines = Mapping[str, Mapping[str, int]]
"""Place ("account" or "kubernetes") -> line -> how often."""
_KEY = re.compile(r"\[[^]]*\]")
# A secret's text that is set once more is a version more, and the one before is the secret's history.
_VERSIONS = re.compile(r"(?<=\]\.versions)\[.*")
_BIRTH = re.compile(r"\]\.(arn|_?creat\w+|instance_create_time) = ")
_OF_EC2 = re.compile(r"^ec2/[^.]*\[[a-z]+-[0-9a-f]{17}\]$")


def between(before: Lines, after: Lines) -> Counter[str]:
    """How many things of each kind came to be: `account iam/aws roles[]` -> 9, `kubernetes Job` -> 1.

    What is inside of a thing counts too, such as a role's policies. What waits for its deletion with a date
    does not.
    """
    found = Counter(f"account {_KEY.sub('[]', thing)}" for thing in of_account(after) - of_account(before))
    objects = Counter(after["kubernetes"]) - Counter(before["kubernetes"])
    found.update(f"kubernetes {line.split()[0]}" for line in objects.elements())
    return found


def of_account(lines: Lines) -> set[str]:
    """Each thing of the account, and each inside of one: what is before the end of each key of a line."""
    paths = (_VERSIONS.sub("[]", line.partition(" = ")[0]) for line in residue.kept(sorted(lines["account"])))
    return {path[: match.end()] for path in paths for match in _KEY.finditer(path)}


def identities(lines: Lines) -> set[str]:
    """When each thing of the account was made, as of a name that is taken again, it is another one.

    Things whose birth AWS does not tell have an id of EC2's or an ARN. What is inside of a thing may go: a
    new network's default rules do, and what is missing in the end shows in `between`.
    """
    born = {line for line in residue.kept(sorted(lines["account"])) if _BIRTH.search(line)}
    return born | {thing for thing in of_account(lines) if _OF_EC2.search(thing)}


if __name__ == "__main__":
    print(json.dumps({"account": residue.account(), "kubernetes": residue.kubernetes()}))
