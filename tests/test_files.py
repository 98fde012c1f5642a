"""What is written appears whole or not at all, and what was there survives every failure."""

import os
import subprocess
from pathlib import Path

import pytest

from puppetmaster_core import provenance
from puppetmaster_core.files import locked, whole_file, whole_folder


def everything(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_file_appears_at_the_end(tmp_path):
    (tmp_path / "a.json").write_text("old")
    with whole_file(tmp_path / "a.json") as partial:
        partial.write_text("new")
        assert partial.parent == tmp_path and str(os.getpid()) in partial.name
        assert (tmp_path / "a.json").read_text() == "old" and list(tmp_path.glob("*.json")) == [tmp_path / "a.json"]
    assert (tmp_path / "a.json").read_text() == "new" and everything(tmp_path) == ["a.json"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_error_the_old_file_is_there_and_nothing_else(tmp_path, error):
    (tmp_path / "a.json").write_text("old")
    with pytest.raises(error), whole_file(str(tmp_path / "a.json")) as partial:
        partial.write_text("half")
        raise error
    assert (tmp_path / "a.json").read_text() == "old" and everything(tmp_path) == ["a.json"]


@pytest.mark.parametrize("whole", [whole_file, whole_folder])
def test_two_writers_of_one_path_do_not_meet(tmp_path, whole):
    with pytest.raises(ZeroDivisionError), whole(tmp_path / "a") as one, whole(tmp_path / "a") as other:
        assert one != other
        raise ZeroDivisionError
    assert not everything(tmp_path)


def fill(folder, content):
    (folder / "part").mkdir()
    (folder / "part" / content).write_text(content)


def test_a_folder_appears_at_the_end_and_replaces_all_of_the_old_one(tmp_path):
    for content in ("old", "new"):
        with whole_folder(tmp_path / "a") as partial:
            fill(partial, content)
    assert everything(tmp_path) == ["a", "a/part", "a/part/new"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_error_the_old_folder_is_there_and_nothing_else(tmp_path, error):
    with whole_folder(tmp_path / "a") as partial:
        fill(partial, "old")
    with pytest.raises(error), whole_folder(tmp_path / "a") as partial:
        fill(partial, "new")
        raise error
    assert everything(tmp_path) == ["a", "a/part", "a/part/old"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_when_the_last_rename_fails_the_old_folder_comes_back(tmp_path, monkeypatch, error):
    replace = Path.replace

    def fail(self, target):
        if self.name.endswith(".partial"):
            raise error
        return replace(self, target)

    with whole_folder(tmp_path / "a") as partial:
        fill(partial, "old")
    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(error), whole_folder(tmp_path / "a") as partial:
        fill(partial, "new")
    assert everything(tmp_path) == ["a", "a/part", "a/part/old"]


# ---- the commit ------------------------------------------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    git("init", "-q", at=tmp_path)
    (tmp_path / "file").write_text("1")
    git("add", "file", at=tmp_path)
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one", at=tmp_path)
    monkeypatch.setattr(provenance, "CHECKOUT", tmp_path)
    return tmp_path


def git(*words, at):
    return subprocess.run(["git", "-C", str(at), *words], check=True, capture_output=True, text=True).stdout.strip()


def test_the_commit_says_whether_there_are_changes_on_top(checkout):
    head = git("rev-parse", "HEAD", at=checkout)
    assert provenance.commit() == head
    (checkout / "file").write_text("2")
    assert provenance.commit() == head + "+"


def test_a_locked_file_is_held_until_the_end(tmp_path):
    (tmp_path / "a.json").write_text("old")
    with locked(tmp_path / "a.json"):
        with pytest.raises(BlockingIOError), locked(tmp_path / "a.json"):
            pass
        assert (tmp_path / "a.json").read_text() == "old"
    with locked(tmp_path / "a.json"):
        pass
