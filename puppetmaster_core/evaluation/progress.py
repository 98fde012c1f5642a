"""What a long evaluation has done so far, one line a clip, so that a kill costs the clip in hand and no more."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from puppetmaster_core.files import locked


class ProgressError(ValueError):
    """A result that another process is working on. The message is one line: what it got, what it expected, what to do."""


class Progress:
    """Records under (row, clip), in memory, and as JSON lines in OUTPUT.progress beside the result that they become.

    `with Progress(output) as progress` keeps other processes out for as long, or raises ProgressError. The file stays, whatever
    happens, until `done` says that the result is written.
    """

    def __init__(self, output: Path | None = None):
        """output: where the result will be written; None keeps nothing on disk."""
        self.path = output and output.with_name(output.name + ".progress")
        self.records, self.resumed = {}, False  # resumed: whether an earlier run of the same settings is gone on with
        self._lock = ExitStack()

    def __enter__(self) -> Progress:
        if self.path:
            self.path.touch()
            try:
                self._lock.enter_context(locked(self.path))
            except (BlockingIOError, FileNotFoundError):  # not found: the other one has ended just now
                raise ProgressError(f"{self.path}: another process is scoring into the same output, expected its own: wait "
                                    "for it, or choose another --output") from None
        return self

    def __exit__(self, *_) -> None:
        if self.path and self.path.exists() and not self.path.stat().st_size:
            self.path.unlink()  # nothing was begun
        self._lock.close()

    def begin(self, settings: dict) -> None:
        """Go on with what an earlier run has left, if its settings, all that the records depend on, are these; else forget it."""
        self.records, self.resumed = {}, False
        if self.path is None:
            return
        head, text = {"settings": json.loads(json.dumps(settings))}, self.path.read_text(encoding="utf-8", errors="replace")
        lines = [line for line in map(_parsed, text.splitlines()) if line is not None]  # the last may be half a line
        self.resumed = lines[:1] == [head]
        if self.resumed:
            self.records = {(r["row"], r["clip"]): r for r in lines[1:] if "row" in r and "clip" in r}
            self._write("" if text.endswith("\n") else "\n")
        else:
            self._write(json.dumps(head) + "\n", "w")

    def get(self, row: str, clip: str) -> dict | None:
        """The record, None where there is none. A failure is tried again."""
        found = self.records.get((row, clip))
        return None if found is None or "failed" in found else found

    def add(self, record: dict) -> None:
        """Keep a record with "row" and "clip" in it, on disk before this returns."""
        self.records[record["row"], record["clip"]] = record
        self._write(json.dumps(record) + "\n")

    def once(self, row: str, clip: str, make: Callable[[], dict]) -> dict:
        """What was kept under (row, clip), without these two; else what `make` gives, kept from now on."""
        if self.get(row, clip) is None:
            self.add({"row": row, "clip": clip, **make()})
        return {name: value for name, value in self.records[row, clip].items() if name not in ("row", "clip")}

    def done(self) -> None:
        """The result is written: nothing is kept any more."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def _write(self, text: str, mode: str = "a") -> None:
        if self.path is not None:
            with open(self.path, mode, encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())


def _parsed(line: str) -> dict | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
