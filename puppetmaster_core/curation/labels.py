"""Labels given by hand: keep, drop or unsure, as a CSV file, and how far two raters agree."""

from __future__ import annotations

import csv
import os
from collections import Counter
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


COLUMNS = tuple(field.name for field in fields(Label))


def read_labels(path: str | os.PathLike) -> list[Label]:
    """The labels in a CSV file with the columns animation, rater, answer. Raises LabelError, naming the line."""
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines(keepends=True)
    except (OSError, UnicodeDecodeError) as error:
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


def write_labels(path: str | os.PathLike, labels: Iterable[Label]) -> None:
    """Write them as CSV; the file appears whole. Raises OSError."""
    with whole_file(path) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(map(asdict, labels))


def verdicts(labels: Iterable[Label]) -> dict[str, bool]:
    """animation → keep it? By the majority of the raters who were sure; without a majority it is left out."""
    votes = Counter()
    for label in labels:
        votes[label.animation] += {"keep": 1, "drop": -1, "unsure": 0}[label.answer]
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
    one, other = ({label.animation: label.answer for label in labels if label.rater == rater} for rater in (first, second))
    common = sorted(one.keys() & other.keys())
    apart = tuple(name for name in common if one[name] != other[name])
    count = len(common) or float("nan")
    same = 1 - len(apart) / count
    often = [Counter(given[name] for name in common) for given in (one, other)]
    chance = sum(often[0][answer] * often[1][answer] for answer in ANSWERS) / count**2
    return Agreement(len(common), same, float("nan") if chance == 1 else (same - chance) / (1 - chance), apart)
