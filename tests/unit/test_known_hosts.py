"""Host keys of a Git server. Oracle: what ssh-keygen writes, and sshd(8) says of known_hosts."""

from __future__ import annotations

import pytest

from infra.settings_known_hosts import known_hosts_mistake

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDYSmJvR2ENSZihXq+rqXxwHMGFq/JtO8OtABIvFr8gs"
# By `ssh-keygen -H`, of the name git.example.com.
HASHED = "|1|W3Lf+gO1Dhxjtug8jT4odsQgxp8=|RE1BMu3gX1G2QjGLPWKPlz4u6MQ="
OF_GIT = "git@git.example.com:data/dags.git"


@pytest.mark.parametrize(
    ("text", "repository"),
    [
        (f"git.example.com {KEY}", OF_GIT),
        (f"# a comment\n\n  git.example.com,10.0.0.7 {KEY} of the server\n", OF_GIT),
        (f"other.example.com {KEY}\n*.example.com {KEY}\n", OF_GIT),
        (f"@cert-authority *.example.com {KEY}", OF_GIT),
        (f"{HASHED} {KEY}", OF_GIT),
        (f"GIT.example.com\t{KEY}", "ssh://git@Git.Example.com/data/dags.git"),
        (f"git.example.com {KEY}", "ssh://git@git.example.com:22/data/dags.git"),
        (f"[git.example.com]:7999 {KEY}", "ssh://git@git.example.com:7999/data/dags.git"),
    ],
)
def test_keys_of_the_repositorys_server_are_taken(text, repository):
    assert known_hosts_mistake(text, repository) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        KEY,
        f"git.example.com {KEY[:-5]}!",
        f"git.example.com ssh-rsa {KEY.split()[1]}",
        f"git.example.com {KEY}\r\n",
        f"git.example.com {KEY} \u2028",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----",
    ],
)
def test_what_is_no_known_hosts_is_refused_and_not_shown(text):
    mistake = known_hosts_mistake(text, OF_GIT)
    assert mistake is not None
    assert "ssh-keyscan HOST" in mistake
    assert "hunter2" not in mistake


@pytest.mark.parametrize(
    ("text", "repository"),
    [
        (f"other.example.com {KEY}", OF_GIT),
        (f"@revoked git.example.com {KEY}", OF_GIT),
        (f"{HASHED} {KEY}", "git@other.example.com:data/dags.git"),
        (f"|1|W3Lf {KEY}", OF_GIT),
        (f"git.example.com {KEY}", "ssh://git@git.example.com:7999/data/dags.git"),
        (f"git.example.com {KEY}", "ssh://git@git.example.com:port/data/dags.git"),
    ],
)
def test_keys_of_other_servers_alone_are_refused(text, repository):
    assert "has no key of" in str(known_hosts_mistake(text, repository))
