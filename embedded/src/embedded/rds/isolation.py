"""Running Postgres' programs as user postgres on a directory only root can reach.

The cloud's state is below root's home, mode 0700. In a mount namespace of its own, each Postgres sees
its instance's directory as /mnt and nothing on the way to it; no mode on the machine changes.
Without root, Postgres runs as the user itself on the directory as it is.
"""

import os
import pwd
from pathlib import Path

_USER = "postgres"
_MOUNT_POINT = "/mnt"
_SCRIPT = (
    'mount --bind "$0" /mnt && cd /mnt && '
    'exec setpriv --reuid postgres --regid postgres --clear-groups --no-new-privs -- "$@"'
)


def _is_root() -> bool:
    return os.geteuid() == 0


def root_inside(directory: Path) -> str:
    """The instance's directory as its Postgres sees it."""
    return _MOUNT_POINT if _is_root() else str(directory)


def command(directory: Path, arguments: list[str]) -> list[str]:
    """The command line that runs `arguments` as Postgres' user on an instance's directory.

    Every step replaces the one before it, so the process id stays the one that was started.
    """
    if not _is_root():
        return arguments
    prefix = ["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", _SCRIPT, str(directory)]
    return prefix + arguments


def give_to_postgres(path: Path) -> None:
    """Make Postgres' user the owner of a file, or of a directory with all in it."""
    if not _is_root():
        return
    user = pwd.getpwnam(_USER)
    os.chown(path, user.pw_uid, user.pw_gid)
    for directory, names, files in os.walk(path):
        for name in [*names, *files]:
            os.chown(Path(directory) / name, user.pw_uid, user.pw_gid, follow_symlinks=False)


def local_users() -> tuple[str, ...]:
    """Who may act as the database's administrator through the socket."""
    return ("root", _USER) if _is_root() else (pwd.getpwuid(os.geteuid()).pw_name,)
