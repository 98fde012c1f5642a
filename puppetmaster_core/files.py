"""Files and folders that appear whole or not at all, written beside their place and renamed into it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

_numbers = count()  # two threads of one process write to two names


@contextmanager
def whole_file(path) -> Iterator[Path]:
    """A path to write to, which becomes `path` at the end; after an error it goes, and what was at `path` stays.

    Its name ends in .partial, so a pattern such as *.npz never finds what a killed process left: give writers that go by
    the suffix an open file, or the format by name. Raises OSError where it cannot be renamed.
    """
    path = Path(path)
    partial = _beside(path, "partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path, value, indent: int | None = 1) -> None:
    """Write a value as JSON for people and programs to read, None: in one line; the file appears whole. Raises OSError."""
    with whole_file(path) as partial:
        partial.write_text(json.dumps(value, indent=indent, ensure_ascii=False) + "\n", encoding="utf-8")


def one_line(error: Exception, most: int = 160) -> str:
    """What an error of a library says, in a line of at most so many characters."""
    return shortened(str(error), most) or type(error).__name__


def shortened(text: str, most: int) -> str:
    """A text in a line of at most so many characters."""
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"


@contextmanager
def whole_folder(path) -> Iterator[Path]:
    """A new, empty folder to fill, which becomes `path` at the end; after an error it goes, and what was at `path` stays.

    A folder that was at `path` is deleted once the new one is in its place, and no sooner. Raises OSError.
    """
    path = Path(path)
    partial = _beside(path, "partial")
    partial.mkdir()
    try:
        yield partial
        _put(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def link(source, target) -> None:
    """Have a file at a second path as well: by a hard link, or on another disk by a copy. Raises OSError."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def try_writing(path) -> None:
    """Raise OSError where nothing can be written beside `path`. Leaves nothing behind."""
    trial = _beside(Path(path), "partial")
    trial.touch()
    trial.unlink()


def _put(new: Path, path: Path) -> None:
    """Rename a folder to `path`, whatever folder is there."""
    if not path.is_dir():
        new.replace(path)
        return
    old = _beside(path, "old")
    path.replace(old)
    try:
        new.replace(path)
    except BaseException:
        old.replace(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _beside(path: Path, ending: str) -> Path:
    """A hidden name in the same folder that nobody else uses."""
    return path.with_name(f".{path.name}.{os.getpid()}-{next(_numbers)}.{ending}")
