"""Official downloads, tried with little patience: every one of them has another way."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

from embedded.setup.shell import Shell

#: Until the host answers, and between two pieces of the file. A machine without the way out waits this long.
_TIMEOUT_SECONDS: Final = 8.0


def try_download(url: str, target: Path, shell: Shell) -> bool:
    """Fetches `url` into `target`; False, with the reason in the step's log, when it cannot be had."""
    shell.note(f"download {url}")
    try:
        with (
            urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer,  # noqa: S310 -- our own https texts
            target.open("wb") as file,
        ):
            shutil.copyfileobj(answer, file, 1 << 20)
    except (urllib.error.URLError, OSError) as error:
        shell.note(f"not to be had there: {error}")
        target.unlink(missing_ok=True)
        return False
    return True


def try_download_checked(url: str, checksum_url: str, target: Path, shell: Shell) -> bool:
    """As `try_download`, for a file whose publisher keeps its SHA-256 (first word) at `checksum_url`.

    A file with another checksum counts as not to be had: it was cut short, or is not the publisher's.
    """
    checksum = target.with_name(f"{target.name}.sha256")
    if not (try_download(checksum_url, checksum, shell) and try_download(url, target, shell)):
        return False
    expected = checksum.read_text().split()[0]
    checksum.unlink()
    if sha256(target) == expected:
        return True
    shell.note(f"{url} has the SHA-256 {sha256(target)}, published is {expected}: not used")
    target.unlink()
    return False


def sha256(file: Path) -> str:
    """The file's SHA-256 as hexadecimal digits."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def take_from_archive(archive: Path, member: str, target: Path) -> None:
    """Puts one file of a tar.gz at `target`, executable.

    Raises KeyError when the archive has no such file.
    """
    with tarfile.open(archive) as opened:
        content = opened.extractfile(member)
        if content is None:
            raise KeyError(member)
        with content, target.open("wb") as file:
            shutil.copyfileobj(content, file)
    target.chmod(0o755)
