"""S3 bodies on disk: what is referred to is there, what is not is gone after the next save."""

import pickle
from pathlib import Path

import pytest
from embedded.aws_api import object_bodies
from embedded.aws_api.object_bodies import BodyStore, StoredBody


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BodyStore:
    store = BodyStore(tmp_path / "objects")
    monkeypatch.setattr(object_bodies, "_store", store)
    return store


def written(content: bytes) -> StoredBody:
    body = StoredBody()
    body.seek(0)
    body.truncate()
    body.write(content)
    body.seek(0)
    return body


def contents(directory: Path) -> set[bytes]:
    return {path.read_bytes() for path in directory.iterdir()}


def test_a_body_is_read_in_parts_and_as_a_whole(store: BodyStore) -> None:
    body = written(b"0123456789")
    assert (body.read(4), body.read(), body.read()) == (b"0123", b"456789", b"")


def test_a_closed_body_is_removed_after_the_save_and_not_before(store: BodyStore, tmp_path: Path) -> None:
    body, other = written(b"gone"), written(b"stays")
    body.close()
    assert b"gone" in contents(tmp_path / "objects")
    store.remove_unused()
    assert contents(tmp_path / "objects") == {b"stays"}
    assert other.read() == b"stays"


def test_equal_bodies_share_a_file_until_the_last_is_closed(store: BodyStore, tmp_path: Path) -> None:
    first, second = written(b"same"), written(b"same")
    first.close()
    store.remove_unused()
    assert second.read() == b"same"
    second.close()
    store.remove_unused()
    assert contents(tmp_path / "objects") == set()


def test_a_new_process_finds_saved_bodies_and_drops_the_rest(
    store: BodyStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = pickle.dumps(written(b"saved"))
    written(b"never saved")
    later = BodyStore(tmp_path / "objects")
    monkeypatch.setattr(object_bodies, "_store", later)
    body = pickle.loads(saved)  # noqa: S301 - made above
    later.remove_unknown()
    assert contents(tmp_path / "objects") == {b"saved"}
    assert body.read() == b"saved"
