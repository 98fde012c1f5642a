"""Labels by hand for the forest of §4: animations one by one, keep, drop or unsure.

    labeller = Labeller({"chest.glb#0": frames, …}, "labels.csv", rater="me")   # shown as the last line of a cell
    labeller.labels                                                             # every answer so far, of all raters
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from lib.asking import Asking
from puppetmaster_core.curation.labels import ANSWERS, COLUMNS, Label, LabelError, read_labels
from puppetmaster_core.files import whole_file


class Labeller(Asking):
    """The animation and four moments of it, and three buttons.

    animations: frames (N, H, W, 3) uint8 by "ASSET#ANIMATION", or functions that make them when their turn comes. path: a CSV
    file of labels: read at the start, so that it goes on with the first animation `rater` has not answered, and written after
    every answer. Other raters' answers in it stay. Raises LabelError, OSError.
    """

    def __init__(self, animations: Mapping[str, np.ndarray | Callable[[], np.ndarray]], path: str | os.PathLike, *,
                 rater: str = "me"):
        if not animations or not rater.strip():
            raise LabelError(f"got {len(animations)} animations and a rater called {rater!r}, expected some, and a name")
        self.path, self.rater = Path(path), rater
        found = read_labels(self.path) if self.path.exists() else []
        given = {label.animation: label.answer for label in found if label.rater == rater}
        self._others = [label for label in found if label.rater != rater or label.animation not in animations]
        super().__init__(animations, [partial(_with_moments, film) for film in animations.values()], ANSWERS,
                         [given.get(name, "") for name in animations])

    @property
    def labels(self) -> list[Label]:
        """Every answer so far: other raters' first, then this one's."""
        own = zip(self.titles, self.answers, strict=True)
        return [*self._others, *(Label(name, self.rater, answer) for name, answer in own if answer)]

    def agreement(self, other: str) -> tuple[int, float, float]:
        """With another rater in the file: animations that both answered, the share with one answer, and Cohen's κ (1960)."""
        return agreement(self.labels, self.rater, other)

    def changed(self) -> None:
        write_labels(self.path, self.labels)


def _with_moments(film: np.ndarray | Callable[[], np.ndarray]) -> np.ndarray:
    """Frames (N, H, 5 W, 3): the film, and beside it the ends of its four quarters."""
    frames = np.asarray(film() if callable(film) else film)
    moments = frames[[round(quarter / 4 * (len(frames) - 1)) for quarter in (1, 2, 3, 4)]]
    return np.stack([np.concatenate([frame, *moments], axis=1) for frame in frames])


def write_labels(path: str | os.PathLike, labels: Iterable[Label]) -> None:
    """Write them as CSV; the file appears whole. Raises OSError."""
    with whole_file(path) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(map(asdict, labels))


def agreement(labels: Iterable[Label], first: str, second: str) -> tuple[int, float, float]:
    """How many animations two raters both answered, the share with the same answer, and Cohen's κ: 1 = always the same, 0 = as
    often as chance would. NaN without a common animation; κ is NaN with one answer for all."""
    from sklearn.metrics import cohen_kappa_score

    one, other = ({label.animation: label.answer for label in labels if label.rater == rater} for rater in (first, second))
    pairs = [(one[name], other[name]) for name in sorted(one.keys() & other.keys())]
    if not pairs:
        return 0, float("nan"), float("nan")
    several = len({answer for pair in pairs for answer in pair}) > 1
    kappa = float(cohen_kappa_score(*zip(*pairs, strict=True))) if several else float("nan")
    return len(pairs), sum(a == b for a, b in pairs) / len(pairs), kappa
