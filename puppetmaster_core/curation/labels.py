"""Labels given by hand: keep, drop or unsure, as a CSV file."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

ANSWERS = ("keep", "drop", "unsure")


class LabelError(ValueError):
    """Labels that cannot be read. The message is one line."""


@dataclass(frozen=True)
class Label:
    """One rater's answer for one animation; a later line for the same pair replaces it."""

    animation: str  # "ASSET#ANIMATION"
    rater: str
    answer: str  # of ANSWERS


COLUMNS = tuple(field.name for field in fields(Label))


def read_labels(path: str | os.PathLike) -> list[Label]:
    """The labels in a CSV file with the columns animation, rater, answer. Raises LabelError, naming the line; OSError."""
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines(keepends=True)
    except UnicodeDecodeError as error:
        raise LabelError(f"{path}: cannot be read ({error}): give a CSV file of labels") from None
    rows, found = csv.DictReader(lines), {}
    if not set(COLUMNS) <= set(rows.fieldnames or ()):
        raise LabelError(f"{path}: got columns {rows.fieldnames}, expected {', '.join(COLUMNS)}")
    for row in rows:
        label = Label(*((row[column] or "").strip() for column in COLUMNS))
        if label.answer not in ANSWERS:
            raise LabelError(f"{path}, line {rows.line_num}: got answer {label.answer!r}, expected {', '.join(ANSWERS)}")
        found[label.animation, label.rater] = label
    return list(found.values())


def verdicts(labels: Iterable[Label]) -> dict[str, bool]:
    """animation → keep it? By the majority of the raters who were sure; without a majority it is left out."""
    votes = Counter()
    for label in labels:
        votes[label.animation] += {"keep": 1, "drop": -1, "unsure": 0}[label.answer]
    return {animation: vote > 0 for animation, vote in votes.items() if vote}
