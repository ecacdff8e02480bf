"""One synchronization: fetch, check out beside what is published, and turn the link.

Consumers rely on this much: the link always leads to one whole commit, is replaced at once, and its target is
named after the commit (https://github.com/kubernetes/git-sync#what-it-produces-and-why---the-contract).
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from .settings import Settings

_WORKTREES = ".worktrees"
_NEW_LINK = "tmp-link"


class SyncFailed(Exception):  # noqa: N818 -- an attempt that is counted, not a fault of the program
    """One attempt did not succeed."""


class Repository:
    """The directory `root` with the synchronized repository."""

    def __init__(self, settings: Settings, environment: dict[str, str]) -> None:
        """`environment` is what git runs with: configuration, credentials, ssh."""
        self._settings = settings
        self._environment = environment
        self._root = settings.root
        self._deadline = 0.0
        self._synced_before = False

    def sync(self) -> tuple[bool, str]:
        """Publish what the remote has; whether that is new, and the commit.

        Raises:
            SyncFailed: git failed, or took longer than the settings allow. What is published stays.
        """
        self._deadline = time.monotonic() + self._settings.sync_timeout
        try:
            return self._sync()
        except OSError as error:
            raise SyncFailed(str(error)) from error

    def _sync(self) -> tuple[bool, str]:
        self._prepare()
        self._fetch()
        wanted = self._git("rev-parse", "FETCH_HEAD^{}")
        present = self.published()
        if present == wanted and not self._is_whole(wanted):
            present = ""
        changed = present != wanted
        if changed or not self._synced_before:
            # Later fetches then know what is here already.
            self._git("reset", "--soft", wanted, "--")
            if changed:
                self._add_worktree(wanted)
            self._check_out(wanted)
            if changed:
                self._publish(wanted)
            self._synced_before = True
        return changed, wanted

    def published(self) -> str:
        """The commit that the link leads to; empty when there is none."""
        try:
            return Path(self._settings.link.readlink()).name
        except OSError:
            return ""

    def cleanup(self) -> None:
        """Remove worktrees that nothing leads to any more, after the time that the settings give them.

        Raises:
            SyncFailed: git or the disk refuses.
        """
        current, oldest = self.published(), time.time() - self._settings.stale_worktree_timeout
        try:
            stale = [
                one
                for one in self._worktrees.iterdir()
                if one.name != current and one.stat().st_mtime <= oldest
            ]
            for worktree in stale:
                shutil.rmtree(worktree)
        except OSError as error:
            raise SyncFailed(f"stale worktrees cannot be removed: {error}") from error
        if stale:
            self._git("worktree", "prune")
            self._git("reflog", "expire", "--expire-unreachable=all", "--all")
            if self._settings.collection != "off":
                how = {"auto": ["--auto"], "aggressive": ["--aggressive"]}.get(self._settings.collection, [])
                self._git("gc", *how)

    @property
    def _worktrees(self) -> Path:
        return self._root / _WORKTREES

    def _prepare(self) -> None:
        """A repository of our own in `root`; whatever else is there goes, as git-sync's manual says."""
        self._root.mkdir(mode=0o775, parents=True, exist_ok=True)
        if not self._is_repository():
            for entry in self._root.iterdir():
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
            self._git("init", "-b", "git-sync")
        with suppress(SyncFailed):
            self._git("remote", "remove", "origin")
        # Submodules with relative addresses start from here.
        self._git("remote", "add", "origin", self._settings.repository)

    def _is_repository(self) -> bool:
        if not (self._root / ".git").is_dir() or (self._root / ".git" / "shallow.lock").exists():
            return False
        try:
            self._git("fsck", "--no-progress", "--connectivity-only")
        except SyncFailed:
            return False
        return True

    def _fetch(self) -> None:
        depth = ["--depth", str(self._settings.depth)] if self._settings.depth else []
        if not depth and self._git("rev-parse", "--is-shallow-repository") == "true":
            depth = ["--unshallow"]
        quietly = ["--no-progress", "--prune", "--no-auto-gc"]
        self._git("fetch", self._settings.repository, self._settings.ref, *quietly, *depth)

    def _is_whole(self, commit: str) -> bool:
        worktree = self._worktrees / commit
        try:
            if self._git("rev-parse", "HEAD", where=worktree) != commit:
                return False
            self._git("fsck", "--no-progress", "--connectivity-only", where=worktree)
        except (OSError, SyncFailed):
            return False
        return True

    def _add_worktree(self, commit: str) -> None:
        worktree = self._worktrees / commit
        if worktree.exists():
            # An attempt that was cut off left it.
            shutil.rmtree(worktree)
            self._git("worktree", "prune")
        self._git("worktree", "add", "--force", "--detach", str(worktree), commit, "--no-checkout")

    def _check_out(self, commit: str) -> None:
        worktree = self._worktrees / commit
        # A relative reference: other containers mount the volume elsewhere.
        (worktree / ".git").write_text(f"gitdir: ../../.git/worktrees/{commit}\n", encoding="utf-8")
        self._git("reset", "--hard", commit, "--", where=worktree)
        if self._settings.submodules != "off":
            how = ["--recursive"] if self._settings.submodules == "recursive" else []
            how += ["--depth", str(self._settings.depth)] if self._settings.depth else []
            self._git("submodule", "update", "--init", *how, where=worktree)

    def _publish(self, commit: str) -> None:
        """Turn the link by renaming another over it: at every moment there is one, and it leads somewhere."""
        link, previous = self._settings.link, self.published()
        link.parent.mkdir(mode=0o775, parents=True, exist_ok=True)
        new = link.parent / _NEW_LINK
        new.unlink(missing_ok=True)
        new.symlink_to(os.path.relpath(self._worktrees / commit, link.parent))
        new.replace(link)
        if previous and previous != commit:
            with suppress(OSError):
                # From now on it counts as stale.
                os.utime(self._worktrees / previous)

    def _git(self, *arguments: str, where: Path | None = None) -> str:
        command = [self._settings.git, *arguments]
        process = subprocess.Popen(
            command,
            cwd=where or self._root,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            # A transport that hangs is a child of git's: all of them end together.
            process_group=0,
        )
        try:
            output, complaint = process.communicate(timeout=max(0.01, self._deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            limit = f"{self._settings.sync_timeout:g} s"
            raise SyncFailed(f"git {arguments[0]} did not end within the {limit} of one sync") from None
        finally:
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
        if process.returncode:
            raise SyncFailed(f"git {arguments[0]} ended with {process.returncode}: {complaint.strip()}")
        return output.strip()
