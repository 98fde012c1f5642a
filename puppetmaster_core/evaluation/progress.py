"""What a long evaluation has done so far, one line a clip, so that a kill costs the clip in hand and no more."""

from __future__ import annotations

import json
import os
from pathlib import Path


class Progress:
    """Records under (row, clip), in memory or in a file of JSON lines. What another settings' run wrote is not believed."""

    def __init__(self, path: Path | None, settings: dict):
        """path: None keeps nothing. settings: what the records depend on; the file's first line."""
        self.path, self.settings, self.records = path, json.loads(json.dumps(settings)), {}
        if path is None:
            return
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        parsed = [line for line in map(_parsed, lines) if line is not None]  # the last line may be half a line
        if parsed and parsed[0].get("settings") == self.settings:
            self.records = {(r["row"], r["clip"]): r for r in parsed[1:] if "row" in r and "clip" in r}
        with open(path, "w", encoding="utf-8") as file:
            for line in [{"settings": self.settings}, *self.records.values()]:
                file.write(json.dumps(line) + "\n")

    def get(self, row: str, clip: str) -> dict | None:
        """The record, None where there is none. A failure is tried again."""
        found = self.records.get((row, clip))
        return None if found is None or "failed" in found else found

    def add(self, record: dict) -> None:
        """Keep a record with "row" and "clip" in it, on disk before this returns."""
        self.records[record["row"], record["clip"]] = record
        if self.path is not None:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
                file.flush()
                os.fsync(file.fileno())

    def done(self) -> None:
        """The result is written: nothing is kept any more."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def _parsed(line: str) -> dict | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
