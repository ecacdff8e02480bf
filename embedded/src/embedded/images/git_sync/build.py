"""Makes the image: Debian as below Airflow, with git and ssh in it, and the program above."""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path
from typing import Final

from embedded.images.archive import write_archive, write_layer
from embedded.images.debian import COMPILE
from embedded.images.versions import GIT_SYNC_REFERENCE
from embedded.setup.shell import Shell

_PROGRAM: Final = Path(__file__).parent / "program"
#: The user of the official image, which the chart names too (chart key dags.gitSync.uid).
USER: Final = 65_533
_LIBRARY: Final = "usr/lib/git-sync"
_START: Final = f"""\
#!/usr/bin/python3 -P
import sys

sys.path.insert(0, "/{_LIBRARY}")

from git_sync.__main__ import main

main()
"""

CONFIG: Final = {
    "User": f"{USER}:{USER}",
    "WorkingDir": "/tmp",  # noqa: S108 -- the official image's
    "Entrypoint": ["/git-sync"],
    "Env": [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME=/tmp",
        "GITSYNC_ROOT=/git",
        "LC_ALL=C.UTF-8",
    ],
    "Labels": {
        "org.opencontainers.image.title": "stand-in for git-sync",
        "org.opencontainers.image.description": "Debian's git, with flags and variables of v4.4.2",
    },
}


def make_image(aside: Path, base_layer: Path, shell: Shell) -> None:
    """Writes `image.tar` into `aside`. Raises StepFailed when the program does not compile."""
    top = aside / "top"
    library = top / _LIBRARY / "git_sync"
    shutil.copytree(_PROGRAM, library, ignore=shutil.ignore_patterns("__pycache__"))
    shell.run([*COMPILE, "-s", top, "-p", "/", library])
    start = top / "git-sync"
    start.write_text(_START)
    start.chmod(0o755)
    _add_user(top, base_layer)
    folder = top / "git"
    folder.mkdir()
    os.chown(folder, USER, USER)
    # Another user of the same group may be given to the container.
    folder.chmod(0o2775)
    layer = aside / "layer.tar"
    write_layer(layer, top)
    write_archive(
        aside / "image.tar", GIT_SYNC_REFERENCE, [base_layer, layer], CONFIG, author="embedded setup"
    )
    layer.unlink()
    shutil.rmtree(top)


def _add_user(top: Path, base_layer: Path) -> None:
    (top / "etc").mkdir()
    lines = {
        "passwd": f"git-sync:x:{USER}:{USER}::/tmp:/sbin/nologin\n",
        "group": f"git-sync:x:{USER}:git-sync\n",
    }
    with tarfile.open(base_layer) as layer:
        for name, line in lines.items():
            member = layer.extractfile(f"etc/{name}")
            present = member.read().decode() if member else ""
            (top / "etc" / name).write_text(present + line)
    # --add-user adds a line for a user id that the pod's security context made up.
    (top / "etc" / "passwd").chmod(0o666)
