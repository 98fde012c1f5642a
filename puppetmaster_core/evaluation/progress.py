"""What a long evaluation has done so far, a line a video, so that a kill costs the video in hand and no more."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from puppetmaster_core.jobs import alone


class Progress:
    """Records by key, in memory, and as JSON lines in OUTPUT.progress beside the result that they become.

    `with Progress(output) as progress` keeps other processes out for as long, or raises JobError. The file stays, whatever
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
            self._lock.enter_context(alone(self.path))
        return self

    def __exit__(self, *_) -> None:
        if self.path and self.path.exists() and not self.path.stat().st_size:
            self.path.unlink()  # nothing was begun
        self._lock.close()

    def begin(self, settings: dict) -> None:
        """Go on with what an earlier run has left, if its settings, all that the records depend on, are these; else forget it.

        Records with "failed" are not believed: what failed is tried again.
        """
        if self.path is None:
            return
        head = json.loads(json.dumps({"settings": settings}))
        lines = [one for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines() if (one := _parsed(line))]
        self.resumed = lines[:1] == [head]
        kept = [line for line in lines[1:] if "failed" not in line.get("record", ("failed",))] if self.resumed else []
        self.records = {line["key"]: line["record"] for line in kept}
        self._write(head, *kept, mode="w")

    def once(self, key: str, make: Callable[[], dict]) -> dict:
        """What was kept under the key; else what `make` gives, on disk before this returns."""
        if key not in self.records:
            self.records[key] = make()
            self._write({"key": key, "record": self.records[key]})
        return self.records[key]

    def done(self) -> None:
        """The result is written: nothing is kept any more."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def _write(self, *lines: dict, mode: str = "a") -> None:
        if self.path is not None:
            with open(self.path, mode, encoding="utf-8") as file:
                file.writelines(json.dumps(line) + "\n" for line in lines)


def _parsed(line: str) -> dict | None:
    """None for what is no JSON object: a kill cuts a line."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
