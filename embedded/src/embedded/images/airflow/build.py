"""Makes the Airflow image: Debian below, a virtual environment with Airflow above.

The layout is the official image's, as far as the chart and users rely on it: user 50000 in group 0,
AIRFLOW_HOME /opt/airflow, the environment in /home/airflow/.local, dumb-init in front of /entrypoint, and
/clean-logs for the log groomers.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path
from typing import Final

from embedded.errors import EmbeddedError
from embedded.images.archive import write_archive, write_layer
from embedded.images.debian import COMPILE, PYTHON
from embedded.images.versions import AIRFLOW_REFERENCE, AIRFLOW_VERSION
from embedded.setup.shell import Shell

_SOURCES: Final = Path(__file__).parent
_USER: Final = 50_000
_GROUP: Final = 0
_HOME: Final = "home/airflow"
_ENVIRONMENT: Final = f"{_HOME}/.local"
_AIRFLOW_HOME: Final = "opt/airflow"

CONFIG: Final = {
    "User": str(_USER),
    "WorkingDir": f"/{_AIRFLOW_HOME}",
    "Entrypoint": ["/usr/bin/dumb-init", "--", "/entrypoint"],
    "Cmd": [],
    "ExposedPorts": {"8080/tcp": {}},
    "Env": [
        f"PATH=/{_ENVIRONMENT}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        f"HOME=/{_HOME}",
        f"AIRFLOW_HOME=/{_AIRFLOW_HOME}",
        f"AIRFLOW_USER_HOME_DIR=/{_HOME}",
        f"AIRFLOW_UID={_USER}",
        f"AIRFLOW_VERSION={AIRFLOW_VERSION}",
        f"VIRTUAL_ENV=/{_ENVIRONMENT}",
        "DUMB_INIT_SETSID=1",
        "LANG=C.UTF-8",
        "LC_ALL=C.UTF-8",
    ],
}


#: Enters the layers as the image's user; arguments: upper layer, lower layer, two scratch folders, mount
#: point, then variables and program. The mounts are seen by this process alone and end with it.
_ENTER: Final = """
mount -t overlay overlay -o "lowerdir=$1:$2,upperdir=$3,workdir=$4" "$5"
mount --rbind /dev "$5/dev"
shift 4
exec chroot --userspec=50000:0 "$1" /usr/bin/env -i "${@:2}"
"""


def make_image(aside: Path, base_layer: Path, shell: Shell) -> None:
    """Writes `image.tar` into `aside`, once `airflow version` has run in it.

    Raises StepFailed when a package cannot be had, EmbeddedError when the image holds another version.
    """
    top = aside / "top"
    _install(top, shell)
    _add_files(top, base_layer)
    _give_to_user(top)
    _verify(aside, base_layer, top, shell)
    layer = aside / "layer.tar"
    write_layer(layer, top)
    write_archive(
        aside / "image.tar", AIRFLOW_REFERENCE, [base_layer, layer], CONFIG, author="embedded setup"
    )
    layer.unlink()
    shutil.rmtree(top)


def _install(top: Path, shell: Shell) -> None:
    environment = top / _ENVIRONMENT
    python = environment / "bin" / "python"
    shell.run(["uv", "venv", "--relocatable", "--no-config", "--python", PYTHON, environment])
    requirements: list[str | Path] = [
        "--require-hashes",
        "--only-binary",
        ":all:",
        "-r",
        _SOURCES / "requirements.txt",
    ]
    shell.run(["uv", "pip", "install", "--python", python, "--link-mode", "copy", *requirements])
    # Each pod starts from this file system, and would compile everything anew.
    shell.run([*COMPILE, "-x", "/templates?/|/tests?/", "-s", top, "-p", "/", environment / "lib"])


def _add_files(top: Path, base_layer: Path) -> None:
    for name in ("dags", "logs", "plugins"):
        (top / _AIRFLOW_HOME / name).mkdir(parents=True)
    for script in ("entrypoint", "clean-logs"):
        shutil.copyfile(_SOURCES / script, top / script)
        (top / script).chmod(0o755)
    passwd = top / "etc" / "passwd"
    passwd.parent.mkdir()
    with tarfile.open(base_layer) as layer:
        member = layer.extractfile("etc/passwd")
        accounts = member.read().decode() if member else ""
    passwd.write_text(f"{accounts}airflow:x:{_USER}:{_GROUP}:airflow:/{_HOME}:/bin/bash\n")
    # The entrypoint adds a line for a user id that the pod's security context made up.
    passwd.chmod(0o664)


def _give_to_user(top: Path) -> None:
    """Everything of Airflow belongs to its user, and its group may do what the user may."""
    for folder in (top / _HOME, top / _AIRFLOW_HOME):
        for path in (folder, *folder.rglob("*")):
            os.chown(path, _USER, _GROUP, follow_symlinks=False)
            if not path.is_symlink():
                mode = path.stat().st_mode
                path.chmod(mode | (mode & 0o700) >> 3)


def _verify(aside: Path, base_layer: Path, top: Path, shell: Shell) -> None:
    """Runs `airflow version` as the image's user on the two layers."""
    base, upper, work, root = (aside / name for name in ("base", "upper", "work", "merged"))
    for folder in (base, upper, work, root):
        folder.mkdir()
    with tarfile.open(base_layer) as layer:
        layer.extractall(base, filter="fully_trusted")  # noqa: S202 -- our own layer, owners and modes kept
    variables = [str(variable) for variable in CONFIG["Env"]]
    airflow = ["/usr/bin/dumb-init", "--", "/entrypoint", "airflow", "version"]
    inside: list[str | Path] = [
        "unshare",
        "--mount",
        "bash",
        "-ec",
        _ENTER,
        "bash",
        top,
        base,
        upper,
        work,
        root,
    ]
    printed = shell.output([*inside, *variables, *airflow])
    if AIRFLOW_VERSION not in printed.split():
        raise EmbeddedError(
            f"The image made for Airflow {AIRFLOW_VERSION} says its version is {printed.strip()!r}.",
            f"Make {_SOURCES / 'requirements.txt'} anew as its source says, then run `make setup` again.",
        )
    for folder in (base, upper, work, root):
        shutil.rmtree(folder)
