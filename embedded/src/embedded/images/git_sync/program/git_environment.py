"""What git is started with: a configuration of its own, the credentials, and how ssh is called."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from .options import Refused
from .settings import Settings

# Never a prompt, never a collection that outlives its command; the volume's owner may be another user.
_CONFIGURATION = """\
[gc]
\tautoDetach = false
\tpruneExpire = now
[core]
\taskPass = true
[safe]
\tdirectory = *
"""
# The password is in the environment of git alone: no file, no command line.
_HELPER = """\
[credential "{repository}"]
\thelper = "!printf 'username=%s\\\\npassword=%s\\\\n' \\"$STANDIN_USERNAME\\" \\"$STANDIN_PASSWORD\\" #"
"""


def git_environment(settings: Settings, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables for git.

    Raises:
        Refused: the configuration cannot be written (a read-only file system without a volume on /tmp).
    """
    text = _CONFIGURATION
    result = dict(environment)
    if settings.username:
        text += _HELPER.format(repository=settings.repository)
        result |= {"STANDIN_USERNAME": settings.username, "STANDIN_PASSWORD": settings.password}
    result["GIT_CONFIG_GLOBAL"] = _write_configuration(text)
    result["GIT_CONFIG_NOSYSTEM"] = "true"
    result["GIT_TERMINAL_PROMPT"] = "0"
    result["GIT_SSH_COMMAND"] = _ssh(settings, environment)
    # Messages of git are looked at by people and tests alike.
    result["LC_ALL"] = "C.UTF-8"
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        result.pop(name, None)
    return result


def _write_configuration(text: str) -> str:
    try:
        descriptor, path = tempfile.mkstemp(prefix="git-sync.gitconfig.")
    except OSError as error:
        raise Refused(f"can't create gitconfig file: {error}") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def _ssh(settings: Settings, environment: Mapping[str, str]) -> str:
    words = [environment.get("GIT_SSH_COMMAND") or "ssh"]
    words += [f"-i {file}" for file in settings.ssh_key_files]
    if settings.ssh_known_hosts:
        words.append(f"-o StrictHostKeyChecking=yes -o UserKnownHostsFile={settings.ssh_known_hosts_file}")
    else:
        words.append("-o StrictHostKeyChecking=no")
    return " ".join(words)


def add_user(passwd: Path = Path("/etc/passwd")) -> None:
    """Give the present user id a name: ssh refuses to work for one without.

    Raises:
        Refused: the file cannot be written.
    """
    user, group = os.getuid(), os.getgid()
    try:
        known = {line.split(":")[2] for line in passwd.read_text(encoding="utf-8").splitlines() if line}
        if str(user) not in known:
            home = os.environ.get("HOME") or str(Path.cwd())
            with passwd.open("a", encoding="utf-8") as file:
                file.write(f"git-sync:x:{user}:{group}::{home}:/sbin/nologin\n")
    except OSError as error:
        raise Refused(f"can't add user: {error}") from error
