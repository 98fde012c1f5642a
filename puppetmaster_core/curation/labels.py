"""Labels given by hand: keep, drop or unsure, as a CSV file, and how far two raters agree."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from puppetmaster_core.files import whole_file

ANSWERS = ("keep", "drop", "unsure")


class LabelError(ValueError):
    """Labels that cannot be read. The message is one line."""


@dataclass(frozen=True)
class Label:
    """One rater's answer for one animation; a later line for the same pair replaces it."""

    animation: str  # "ASSET#ANIMATION"
    rater: str
    answer: str  # of ANSWERS

    def __post_init__(self):
        if self.answer not in ANSWERS:
            raise LabelError(f"got answer {self.answer!r} for {self.animation!r}, expected {', '.join(ANSWERS)}")


COLUMNS = tuple(f.name for f in fields(Label))


def read_labels(path: str | os.PathLike) -> list[Label]:
    """The labels in a CSV file with the columns animation, rater, answer. Raises LabelError, naming the line."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise LabelError(f"{path}: cannot be read ({error}): give a CSV file of labels") from None
    return parse_labels(text, str(path))


def parse_labels(text: str, name: str = "labels") -> list[Label]:
    """The same, of text. Raises LabelError."""
    rows = csv.DictReader(io.StringIO(text, newline=""))
    if not set(COLUMNS) <= set(rows.fieldnames or ()):
        raise LabelError(f"{name}: got columns {rows.fieldnames}, expected {', '.join(COLUMNS)}")
    found: dict[tuple[str, str], Label] = {}
    for row in rows:
        try:
            label = Label(*((row[column] or "").strip() for column in COLUMNS))
        except LabelError as error:
            raise LabelError(f"{name}, line {rows.line_num}: {error}") from None
        found[label.animation, label.rater] = label
    return list(found.values())


def write_labels(path: str | os.PathLike, labels: Iterable[Label]) -> None:
    """Write them as CSV; the file appears whole. Raises OSError."""
    with whole_file(path) as partial:
        partial.write_text(to_csv(labels), encoding="utf-8")


def to_csv(labels: Iterable[Label]) -> str:
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(asdict(label) for label in labels)
    return text.getvalue()


def verdicts(labels: Iterable[Label]) -> dict[str, bool]:
    """animation → keep it? By the majority of the raters who were sure; without a majority it is left out."""
    votes: dict[str, int] = {}
    for label in labels:
        votes[label.animation] = votes.get(label.animation, 0) + {"keep": 1, "drop": -1, "unsure": 0}[label.answer]
    return {animation: vote > 0 for animation, vote in votes.items() if vote}


@dataclass(frozen=True)
class Agreement:
    """Two raters on the animations that both have answered."""

    both: int  # how many those are
    same: float  # share with the same answer
    kappa: float  # Cohen's (1960): 1 = always the same answer, 0 = as often as chance would
    apart: tuple[str, ...]  # animations with two answers


def agreement(labels: Iterable[Label], first: str, second: str) -> Agreement:
    """How far two raters agree. Without a common animation, or with one answer for all, kappa is NaN."""
    answers = {rater: {label.animation: label.answer for label in labels if label.rater == rater} for rater in (first, second)}
    common = sorted(answers[first].keys() & answers[second].keys())
    if not common:
        return Agreement(0, float("nan"), float("nan"), ())
    pairs = [(answers[first][a], answers[second][a]) for a in common]
    same = sum(a == b for a, b in pairs) / len(pairs)
    chance = sum(sum(p[0] == answer for p in pairs) * sum(p[1] == answer for p in pairs) for answer in ANSWERS) / len(pairs) ** 2
    kappa = float("nan") if chance == 1 else (same - chance) / (1 - chance)
    return Agreement(len(common), same, kappa, tuple(a for a, (x, y) in zip(common, pairs, strict=True) if x != y))
