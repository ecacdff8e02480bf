"""The checkout as the Pulumi engine of an embedded cloud sees it.

The engine writes the salt of a stack's secrets into `Pulumi.<stack>.yaml`, and each cloud has salts of its
own. So that the checkout stays as it is, the `pulumi` on the path of `embedded run` starts the engine in a
mirror of the checkout: directories of symbolic links, with real copies of the stack files alone. Afterwards
the salts are kept with the cloud, and whatever else the command changed in a stack file goes to the checkout.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from embedded import stack_file
from embedded.files import write_if_changed, write_private
from embedded.identity import CloudIdentity

_PROJECT_FILE = "Pulumi.yaml"
_SEARCH_DEPTH = 2


@dataclass(frozen=True)
class ProjectView:
    """The mirror of one checkout in one cloud's state."""

    identity: CloudIdentity

    @property
    def root(self) -> Path:
        return self.identity.state_directory / "view"

    def directory_for(self, place: Path) -> Path | None:
        """Where the engine is started for a command given in `place`; None outside of the checkout."""
        try:
            return self.root / place.resolve().relative_to(self.identity.checkout)
        except ValueError:
            return None

    def refresh(self) -> None:
        """Bring the mirror up to date with the checkout. Files that have not changed are not touched, since
        another engine may be at work in the mirror."""
        with self._locked():
            self._keep_salts()
            projects = self._projects()
            self._forget_deleted(projects)
            real = {parent for project in projects for parent in (project, *project.parents)}
            for relative in sorted(real, key=lambda path: len(path.parts)):
                self._mirror(relative, real, is_project=relative in projects)
            self._note_seen(projects)

    def collect(self) -> None:
        """Keep the salts that a command has made, and carry over what else it has changed."""
        with self._locked():
            self._keep_salts()
            for project in self._projects():
                for name in self._stack_files(self.root / project) | self._stack_files(self._source(project)):
                    self._carry_over(project, name)
                self._move_new_files(project)
            self._note_seen(self._projects())

    def _source(self, relative: Path) -> Path:
        return self.identity.checkout / relative

    def _projects(self) -> list[Path]:
        """Directories of Pulumi projects, relative to the checkout: near its root, and not hidden."""
        found: list[Path] = []
        level = [self.identity.checkout]
        for _ in range(_SEARCH_DEPTH + 1):
            found += [place for place in level if (place / _PROJECT_FILE).is_file()]
            level = [
                child
                for place in level
                for child in place.iterdir()
                if child.is_dir() and not child.is_symlink() and not child.name.startswith(".")
            ]
        return [place.relative_to(self.identity.checkout) for place in found]

    def _mirror(self, relative: Path, real: set[Path], *, is_project: bool) -> None:
        source, mirror = self._source(relative), self.root / relative
        if mirror.is_symlink():
            mirror.unlink()
        mirror.mkdir(mode=0o700, parents=True, exist_ok=True)
        copies = self._stack_files(source) if is_project else set()
        wanted = {entry.name for entry in source.iterdir()}
        for entry in mirror.iterdir():
            if entry.is_symlink() and (entry.name not in wanted or entry.name in copies):
                entry.unlink()
        for name in wanted - copies:
            if relative / name not in real:
                _link(mirror / name, source / name)
        for name in copies:
            try:
                text = (source / name).read_text(encoding="utf-8")
            except UnicodeDecodeError:
                # The engine says of this one what is wrong; the other stacks have nothing to do with it.
                (mirror / name).write_bytes((source / name).read_bytes())
                continue
            write_if_changed(mirror / name, stack_file.with_salt(text, self._salt(relative, name)))

    def _forget_deleted(self, projects: Sequence[Path]) -> None:
        """Take away copies of stack files that the checkout had and has no more; they would come back to it.

        A file that the checkout never had is what another engine is making at this moment.
        """
        try:
            seen = set(json.loads(self._seen_path.read_text()))
        except FileNotFoundError:
            return
        for project in projects:
            for name in self._stack_files(self.root / project) - self._stack_files(self._source(project)):
                if str(project / name) in seen:
                    (self.root / project / name).unlink()

    def _note_seen(self, projects: Sequence[Path]) -> None:
        """Keep the names of the checkout's stack files."""
        seen = [
            str(project / name) for project in projects for name in self._stack_files(self._source(project))
        ]
        write_if_changed(self._seen_path, json.dumps(sorted(seen)))

    @staticmethod
    def _stack_files(directory: Path) -> set[str]:
        if not directory.is_dir():
            return set()
        return {path.name for path in directory.glob("Pulumi.*.yaml") if not path.is_symlink()}

    def _carry_over(self, project: Path, name: str) -> None:
        changed, original = self.root / project / name, self._source(project) / name
        if not changed.exists():
            # `pulumi stack rm` takes the stack's file along; a committed one is the repository's.
            if original.exists() and not self._is_tracked(original):
                original.unlink()
            return
        text = changed.read_text()
        before = original.read_text() if original.exists() else ""
        if not stack_file.same_settings(text, before):
            new = stack_file.without_encryption(text) + stack_file.encryption_lines(before)
            original.write_text(new)

    def _is_tracked(self, path: Path) -> bool:
        command = ["git", "-C", str(path.parent), "ls-files", "--error-unmatch", path.name]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def _move_new_files(self, project: Path) -> None:
        """A plan or an export that a command wrote beside the project belongs beside the real one."""
        for entry in (self.root / project).iterdir():
            if (
                not entry.is_symlink()
                and entry.is_file()
                and entry.name not in self._stack_files(entry.parent)
            ):
                shutil.move(entry, self._source(project) / entry.name)

    def _keep_salts(self) -> None:
        salts = self._salts()
        for project in self._projects():
            for name in self._stack_files(self.root / project):
                found = stack_file.salt((self.root / project / name).read_text())
                if found is not None:
                    salts[str(project / name)] = found
        if salts != self._salts():
            write_private(self._salts_path, (json.dumps(salts, indent=2, sort_keys=True) + "\n").encode())

    def _salt(self, project: Path, name: str) -> str | None:
        return self._salts().get(str(project / name))

    def _salts(self) -> dict[str, str]:
        try:
            return dict(json.loads(self._salts_path.read_text()))
        except FileNotFoundError:
            return {}

    @property
    def _salts_path(self) -> Path:
        return self.identity.state_directory / "pulumi" / "salts.json"

    @property
    def _seen_path(self) -> Path:
        return self.identity.state_directory / "pulumi" / "stack_files.json"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._salts_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._salts_path.parent / "view.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _link(link: Path, target: Path) -> None:
    if link.is_symlink() and link.readlink() == target:
        return
    if link.is_symlink() or link.is_file():
        link.unlink()
    elif link.is_dir():
        # The directory was a project once; its mirror holds links and copies only.
        shutil.rmtree(link)
    link.symlink_to(target)


def split_working_directory(arguments: Sequence[str]) -> tuple[str | None, list[str]]:
    """The value of the engine's `--cwd` or `-C`, and the arguments without it.

    What follows `--` belongs to somebody else and is not looked at.
    """
    place: str | None = None
    rest: list[str] = []
    remaining = list(arguments)
    while remaining:
        argument = remaining.pop(0)
        if argument == "--":
            return place, [*rest, argument, *remaining]
        if argument in ("--cwd", "-C") and remaining:
            place = remaining.pop(0)
        elif argument.startswith("--cwd="):
            place = argument.removeprefix("--cwd=")
        elif argument.startswith("-C") and len(argument) > len("-C"):
            place = argument.removeprefix("-C").removeprefix("=")
        else:
            rest.append(argument)
    return place, rest


def run_engine(identity: CloudIdentity, engine: Path, arguments: Sequence[str]) -> int:
    """Run the engine in the mirror of the place it was asked to run in; its exit code."""
    place, rest = split_working_directory(arguments)
    asked = Path.cwd() / (place or ".")
    view = ProjectView(identity)
    directory = view.directory_for(asked)
    if directory is None:
        os.execv(engine, ["pulumi", *arguments])  # noqa: S606 -- outside of the checkout nothing is mirrored
    view.refresh()
    if not directory.is_dir():
        print(f"pulumi: {asked} is not a directory", file=sys.stderr)
        return 255
    try:
        return _wait(engine, rest, directory)
    finally:
        view.collect()


def _wait(engine: Path, arguments: Sequence[str], directory: Path) -> int:
    # The engine looks for its project upwards from PWD, which keeps the links that the kernel would resolve.
    environment = {**os.environ, "PWD": str(directory)}
    command = [str(engine), *arguments]
    process = subprocess.Popen(command, cwd=directory, env=environment)
    # Ctrl-C reaches the engine by itself; it must be allowed to end its update in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, _: process.send_signal(number))
    code = process.wait()
    return 128 - code if code < 0 else code


def main() -> None:
    """What the `pulumi` on the path of `embedded run` starts."""
    parser = argparse.ArgumentParser(prog="embedded.project_view")
    parser.add_argument("--checkout", type=Path, required=True)
    parser.add_argument("--engine", type=Path, required=True)
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    arguments = options.arguments[1:] if options.arguments[:1] == ["--"] else options.arguments
    sys.exit(run_engine(CloudIdentity.of(options.checkout), options.engine, arguments))


if __name__ == "__main__":
    main()
