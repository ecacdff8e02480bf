"""Makes PgBouncer's image from Debian's package: the program, the libraries that it links, and busybox.

The official image is Alpine with PgBouncer 1.23.1; Debian 12 has 1.18.0, which refuses settings that came
later (`max_prepared_statements` of 1.21 is one). As there, a small shell serves the chart's preStop hook.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from embedded.errors import EmbeddedError
from embedded.images.archive import write_archive, write_layer
from embedded.images.static import make_image as make_static_image
from embedded.images.versions import PGBOUNCER_EXPORTER_REFERENCE, PGBOUNCER_REFERENCE
from embedded.setup.go_build import build
from embedded.setup.shell import Shell, StepFailed

_SOURCES: Final = Path(__file__).parent
#: `nobody`, as in the official images; chart key pgbouncer.uid.
USER: Final = 65_534
_GROUP: Final = 65_534

#: PgBouncer with what it links, directly and through libpam and libsystemd (`ldd` tells).
PACKAGES: Final = (
    "busybox-static",
    "libaudit1",
    "libc-ares2",
    "libc6",
    "libcap-ng0",
    "libcap2",
    "libevent-2.1-7",
    "libgcrypt20",
    "libgpg-error0",
    "liblz4-1",
    "liblzma5",
    "libpam0g",
    "libssl3",
    "libsystemd0",
    "libzstd1",
    "pgbouncer",
)
#: What the chart's preStop hook (`killall -INT pgbouncer && sleep 120`) and people who look into a pod use.
_BUSYBOX_NAMES: Final = ("cat", "kill", "killall", "ls", "ps", "sh", "sleep", "stat", "wget")
#: Of the packages' files these are of no use in a container.
_EXCLUDED: Final = (
    "usr/share",
    "usr/lib/systemd",
    "lib/systemd",
    "etc/default",
    "etc/init.d",
    "etc/logrotate.d",
)

_LABEL: Final = "org.opencontainers.image.description"
CONFIG: Final = {
    "User": str(USER),
    "Entrypoint": ["/usr/bin/pgbouncer", "-u", "nobody", "/etc/pgbouncer/pgbouncer.ini"],
    "ExposedPorts": {"6432/tcp": {}},
    "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
    "Labels": {_LABEL: "PgBouncer of Debian 12, for the embedded cloud"},
}
EXPORTER_CONFIG: Final = {
    "User": f"{USER}:{_GROUP}",
    "Entrypoint": ["/bin/pgbouncer_exporter"],
    "Cmd": ["server"],
    "ExposedPorts": {"9127/tcp": {}},
    "Env": ["PATH=/bin"],
    "Labels": {
        "org.opencontainers.image.title": "stand-in for jbub/pgbouncer_exporter",
        _LABEL: "The commands, variables and metrics of pgbouncer_exporter 0.18.0, for the embedded cloud",
    },
}


def make_image(aside: Path, shell: Shell) -> None:
    """Writes PgBouncer's `image.tar` into `aside`, once the program has run as its user.

    Raises StepFailed when a package cannot be had or the program does not run.
    """
    root = aside / "root"
    _unpack(aside, root, shell)
    _add_files(root)
    inside: list[str | Path] = ["chroot", f"--userspec={USER}:{_GROUP}", root]
    shell.run([*inside, "/usr/bin/pgbouncer", "--version"])
    layer = aside / "layer.tar"
    write_layer(layer, root, excluded=lambda path: path.startswith(_EXCLUDED))
    write_archive(aside / "image.tar", PGBOUNCER_REFERENCE, [layer], CONFIG, author="embedded setup")
    layer.unlink()
    shutil.rmtree(root)


def make_exporter_image(aside: Path, shell: Shell) -> None:
    """Writes the exporter's `image.tar` into `aside`. Raises StepFailed when its program cannot be built."""
    binary = aside / "pgbouncer_exporter"
    version = PGBOUNCER_EXPORTER_REFERENCE.rpartition("-")[2]
    build(shell, "pgbouncer_exporter", ".", binary, [("main.version", version)])
    printed = shell.output([binary, "--version"])
    if version not in printed.split():
        raise EmbeddedError(
            f"The built exporter says {printed.strip()!r}, not {version}.",
            f"Read {shell.log}, then run `make setup` again.",
        )
    make_static_image(aside, PGBOUNCER_EXPORTER_REFERENCE, binary, "bin/pgbouncer_exporter", EXPORTER_CONFIG)
    binary.unlink()


def _unpack(aside: Path, root: Path, shell: Shell) -> None:
    packages = aside / "packages"
    packages.mkdir()
    download = ["apt-get", "-q", "download", *PACKAGES]
    try:
        shell.run(download, cwd=packages)
    except StepFailed:
        # No lists yet, or lists that name releases which the archive has replaced.
        shell.run(["apt-get", "-q", "update"], outlives_setup=True)
        shell.run(download, cwd=packages)
    root.mkdir()
    for package in sorted(packages.glob("*.deb")):
        shell.run(["dpkg-deb", "--extract", package, root])
    shutil.rmtree(packages)


def _add_files(root: Path) -> None:
    # Other packages may bring the folder already, or not.
    (root / "bin").mkdir(exist_ok=True)
    for name in _BUSYBOX_NAMES:
        link = root / "bin" / name
        link.unlink(missing_ok=True)
        link.symlink_to("busybox")
    (root / "usr/bin").mkdir(parents=True, exist_ok=True)
    (root / "usr/bin/pgbouncer").symlink_to("../sbin/pgbouncer")
    configuration = root / "etc/pgbouncer"
    configuration.mkdir(parents=True, exist_ok=True)
    # Debian's is for its own user alone.
    configuration.chmod(0o755)
    shutil.copyfile(_SOURCES / "pgbouncer.ini", configuration / "pgbouncer.ini")
    (configuration / "pgbouncer.ini").chmod(0o644)
    (configuration / "userlist.txt").write_text("")
    (configuration / "userlist.txt").chmod(0o644)
    # `-u nobody` changes to this user's group too, which is refused unless it is the group already.
    (root / "etc/passwd").write_text(f"nobody:x:{USER}:{_GROUP}:nobody:/:/sbin/nologin\n")
    (root / "etc/group").write_text(f"nobody:x:{_GROUP}:\n")
    # The socket's place unless the configuration says otherwise.
    (root / "tmp").mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
    for name in ("proc", "dev", "sys"):
        (root / name).mkdir(exist_ok=True)
