"""The git-sync stand-in: what it accepts, and what it publishes of a repository on this disk."""

from __future__ import annotations

import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from embedded.images.git_sync.program.git_environment import add_user, git_environment
from embedded.images.git_sync.program.options import Refused
from embedded.images.git_sync.program.probe import Probe
from embedded.images.git_sync.program.repository import Repository, SyncFailed
from embedded.images.git_sync.program.settings import Settings, load
from embedded.images.git_sync.program.values import duration


def git(where: Path, *arguments: str) -> str:
    """What git itself says: the oracle."""
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    command = ["git", "-C", str(where), *identity, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


class Remote:
    """A repository whose history the tests write."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()
        git(directory, "init", "--quiet")

    def commit(self, text: str) -> str:
        (self.directory / "dag.py").write_text(text)
        git(self.directory, "add", "dag.py")
        git(self.directory, "commit", "--quiet", "--message", text)
        return git(self.directory, "rev-parse", "HEAD")


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    made = Remote(tmp_path / "remote")
    made.commit("first")
    return made


def settings(remote: Remote, tmp_path: Path, **variables: str) -> Settings:
    names = {"GITSYNC_REPO": f"file://{remote.directory}", "GITSYNC_ROOT": str(tmp_path / "git"), **variables}
    return load([], {"GITSYNC_REF": "main", "GITSYNC_LINK": "repo", **names})


def follower(given: Settings) -> Repository:
    return Repository(given, git_environment(given, {"PATH": "/usr/bin:/bin"}))


def test_the_link_leads_to_the_commit_by_its_name_and_relatively(remote: Remote, tmp_path: Path) -> None:
    head = git(remote.directory, "rev-parse", "HEAD")
    assert follower(settings(remote, tmp_path)).sync() == (True, head)
    link = tmp_path / "git" / "repo"
    assert link.readlink().name == head
    assert not link.readlink().is_absolute()
    assert (link / "dag.py").read_text() == "first"


def test_a_new_commit_takes_the_links_place_and_the_old_worktree_goes(remote: Remote, tmp_path: Path) -> None:
    repository = follower(settings(remote, tmp_path))
    _, old = repository.sync()
    new = remote.commit("second")
    assert repository.sync() == (True, new)
    repository.cleanup()
    assert (tmp_path / "git" / "repo" / "dag.py").read_text() == "second"
    assert not (tmp_path / "git" / ".worktrees" / old).exists()


def test_nothing_new_changes_nothing(remote: Remote, tmp_path: Path) -> None:
    repository = follower(settings(remote, tmp_path))
    _, head = repository.sync()
    inode = (tmp_path / "git" / "repo").lstat().st_ino
    assert repository.sync() == (False, head)
    assert (tmp_path / "git" / "repo").lstat().st_ino == inode


def test_what_is_published_outlives_a_remote_that_is_gone(remote: Remote, tmp_path: Path) -> None:
    repository = follower(settings(remote, tmp_path))
    repository.sync()
    remote.directory.rename(tmp_path / "away")
    with pytest.raises(SyncFailed, match="git fetch"):
        repository.sync()
    assert (tmp_path / "git" / "repo" / "dag.py").read_text() == "first"


def test_a_damaged_root_is_made_anew(remote: Remote, tmp_path: Path) -> None:
    (tmp_path / "git" / ".git").mkdir(parents=True)
    (tmp_path / "git" / "leftover").write_text("of a run that was killed")
    follower(settings(remote, tmp_path)).sync()
    assert not (tmp_path / "git" / "leftover").exists()
    assert (tmp_path / "git" / "repo" / "dag.py").read_text() == "first"


def test_history_is_as_deep_as_asked(remote: Remote, tmp_path: Path) -> None:
    remote.commit("second")
    follower(settings(remote, tmp_path, GITSYNC_DEPTH="1")).sync()
    assert git(tmp_path / "git" / "repo", "rev-list", "--count", "HEAD") == "1"
    follower(settings(remote, tmp_path, GITSYNC_DEPTH="0")).sync()
    assert git(tmp_path / "git" / "repo", "rev-list", "--count", "HEAD") == "2"


def test_a_transport_that_hangs_ends_with_the_time_of_one_sync(tmp_path: Path, remote: Remote) -> None:
    hanging = tmp_path / "git-that-hangs"
    hanging.write_text("#!/bin/sh\nexec sleep 600\n")
    hanging.chmod(0o755)
    given = settings(remote, tmp_path, GITSYNC_GIT=str(hanging), GITSYNC_SYNC_TIMEOUT="20ms")
    with pytest.raises(SyncFailed, match=r"did not end within the 0\.02 s"):
        follower(given).sync()


def test_the_password_is_in_no_file_and_no_argument(remote: Remote, tmp_path: Path) -> None:
    given = settings(
        remote,
        tmp_path,
        GITSYNC_REPO="https://example.org/dags.git",
        GITSYNC_USERNAME="user",
        GITSYNC_PASSWORD="hidden' \"$PATH",
    )
    environment = git_environment(given, {"PATH": "/usr/bin:/bin"})
    assert "hidden" not in Path(environment["GIT_CONFIG_GLOBAL"]).read_text()
    asked = "url=https://example.org/dags.git\n\n"
    answer = subprocess.run(
        ["git", "credential", "fill"],
        env=environment,
        input=asked,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "username=user\npassword=hidden' \"$PATH\n" in answer.stdout
    other = subprocess.run(
        ["git", "credential", "fill"],
        env=environment,
        input="url=https://other.org\n\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert "hidden" not in other.stdout


CHART = {
    # What the chart 1.21.0 sets (template git_sync_container), for the sidecar.
    "GIT_SYNC_REV": "HEAD",
    "GITSYNC_REF": "main",
    "GIT_SYNC_BRANCH": "main",
    "GIT_SYNC_REPO": "git@example.org:dags.git",
    "GITSYNC_REPO": "git@example.org:dags.git",
    "GIT_SYNC_DEPTH": "1",
    "GITSYNC_DEPTH": "1",
    "GIT_SYNC_ROOT": "/git",
    "GITSYNC_ROOT": "/git",
    "GIT_SYNC_DEST": "repo",
    "GITSYNC_LINK": "repo",
    "GIT_SYNC_ADD_USER": "true",
    "GITSYNC_ADD_USER": "true",
    "GITSYNC_PERIOD": "60s",
    "GIT_SYNC_MAX_SYNC_FAILURES": "10",
    "GITSYNC_MAX_FAILURES": "10",
    "GIT_SSH_KEY_FILE": "/etc/git-secret/ssh",
    "GITSYNC_SSH_KEY_FILE": "/etc/git-secret/ssh",
    "GIT_SYNC_SSH": "true",
    "GITSYNC_SSH": "true",
    "GIT_KNOWN_HOSTS": "true",
    "GITSYNC_SSH_KNOWN_HOSTS": "true",
    "GIT_SSH_KNOWN_HOSTS_FILE": "/etc/git-secret/known_hosts",
    "GITSYNC_SSH_KNOWN_HOSTS_FILE": "/etc/git-secret/known_hosts",
    "GIT_SYNC_HTTP_BIND": ":1234",
    "GITSYNC_HTTP_BIND": ":1234",
}


def test_the_charts_variables_are_understood() -> None:
    read = load([], CHART)
    assert (read.repository, read.ref, read.depth) == ("git@example.org:dags.git", "main", 1)
    assert (read.link, read.period, read.max_failures) == (Path("/git/repo"), 60.0, 10)
    assert (read.add_user, read.one_time, read.http_bind) == (True, False, ":1234")
    ssh = git_environment(read, {})["GIT_SSH_COMMAND"]
    assert "-i /etc/git-secret/ssh" in ssh
    assert "StrictHostKeyChecking=yes -o UserKnownHostsFile=/etc/git-secret/known_hosts" in ssh


def test_an_old_branch_wins_over_the_reference_as_in_git_sync() -> None:
    assert load([], {**CHART, "GIT_SYNC_BRANCH": "other"}).ref == "other"


def test_a_flag_wins_over_a_variable() -> None:
    assert load(["--period=5s", "--one-time", "-v", "3"], CHART).period == 5.0


@pytest.mark.parametrize(
    ("arguments", "variables", "message"),
    [
        (["--perod=5s"], {}, "unknown flag: --perod"),
        (["now"], {}, "unexpected argument 'now'"),
        (["--depth"], {}, "needs an argument: --depth"),
        ([], {"GITSYNC_ONE_TIME": "yes"}, "invalid variable GITSYNC_ONE_TIME: 'yes'"),
        ([], {"GITSYNC_PERIOD": "60"}, "invalid variable GITSYNC_PERIOD: '60'"),
        ([], {"GITSYNC_PERIOD": "1ms"}, "--period must be at least 10ms"),
        ([], {"GITSYNC_SUBMODULES": "some"}, "--submodules must be one of recursive, shallow, off"),
        ([], {"GITSYNC_WEBHOOK_URL": "http://example.org"}, "does not do --webhook-url"),
        (["--http-metrics"], {}, "does not do --http-metrics"),
        ([], {"GITSYNC_USERNAME": "user"}, "must go with --username"),
        ([], {"GIT_SYNC_REV": "v1"}, "deprecated flag combo"),
    ],
)
def test_a_mistake_is_refused_by_name(arguments: list[str], variables: dict[str, str], message: str) -> None:
    with pytest.raises(Refused, match=message):
        load(arguments, CHART | variables)


@pytest.mark.parametrize("missing", ["ROOT", "REPO"])
def test_root_and_repository_are_required(missing: str) -> None:
    present = {name: text for name, text in CHART.items() if not name.endswith(missing)}
    with pytest.raises(Refused, match=f"--{missing.lower()} must be specified"):
        load([], present)


@pytest.mark.parametrize(("text", "seconds"), [("100ms", 0.1), ("1m30.5s", 90.5), ("0", 0.0), ("2h", 7200.0)])
def test_durations_are_gos(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.fixture
def probe() -> Iterator[Probe]:
    made = Probe("127.0.0.1:0")
    yield made
    made.close()


def status(probe: Probe) -> Any:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{probe.port}/", timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_the_probe_fails_until_the_first_sync(probe: Probe) -> None:
    assert status(probe) == 503
    probe.ready()
    assert status(probe) == 200


def test_a_user_without_a_name_gets_one(tmp_path: Path) -> None:
    passwd = tmp_path / "passwd"
    passwd.write_text("other:x:123456:0::/:/bin/sh\n")
    add_user(passwd)
    add_user(passwd)
    assert passwd.read_text().count("git-sync:x:") == 1
