"""What is written appears whole or not at all, and what was there survives every failure."""

import os
import subprocess
from pathlib import Path

import pytest

from puppetmaster_core import provenance
from puppetmaster_core.files import whole_file, whole_folder


def everything(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def write_file(partial, content):
    partial.write_text(content)


def write_folder(partial, content):
    (partial / "part").mkdir()
    (partial / "part" / content).write_text(content)


KINDS = [(whole_file, write_file, ["a.json"]), (whole_folder, write_folder, ["a.json", "a.json/part", "a.json/part/old"])]


def test_a_file_appears_at_the_end(tmp_path):
    (tmp_path / "a.json").write_text("old")
    with whole_file(tmp_path / "a.json") as partial:
        partial.write_text("new")
        assert partial.parent == tmp_path and str(os.getpid()) in partial.name
        assert (tmp_path / "a.json").read_text() == "old" and list(tmp_path.glob("*.json")) == [tmp_path / "a.json"]
    assert (tmp_path / "a.json").read_text() == "new" and everything(tmp_path) == ["a.json"]


def test_a_folder_appears_at_the_end_and_replaces_all_of_the_old_one(tmp_path):
    for content in ("old", "new"):
        with whole_folder(tmp_path / "a") as partial:
            write_folder(partial, content)
    assert everything(tmp_path) == ["a", "a/part", "a/part/new"]


@pytest.mark.parametrize(("whole", "write", "left"), KINDS)
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("when", ["while it is written", "at the last rename"])
def test_after_an_error_what_was_there_is_there_and_nothing_else(tmp_path, monkeypatch, whole, write, left, error, when):
    replace = Path.replace

    def fail(self, target):
        if self.name.endswith(".partial"):
            raise error
        return replace(self, target)

    with whole(tmp_path / "a.json") as partial:
        write(partial, "old")
    if when == "at the last rename":
        monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(error), whole(str(tmp_path / "a.json")) as partial:
        write(partial, "new")
        if when == "while it is written":
            raise error
    assert everything(tmp_path) == left
    assert whole is whole_folder or (tmp_path / "a.json").read_text() == "old"


@pytest.mark.parametrize("whole", [whole_file, whole_folder])
def test_two_writers_of_one_path_do_not_meet(tmp_path, whole):
    with pytest.raises(ZeroDivisionError), whole(tmp_path / "a") as one, whole(tmp_path / "a") as other:
        assert one != other
        raise ZeroDivisionError
    assert not everything(tmp_path)


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
