"""The random forest of §4: from an animation's metrics to whether it is worth keeping, with the reasons.

Letters: n animations, M metrics, B trees. Shipped in `forest/`: the trees as skops writes them (no pickle), the rest as JSON.
"""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from puppetmaster_core.curation.metrics import MEANING, METRICS
from puppetmaster_core.files import whole_folder, write_json

FORMAT = "puppetmaster.forest/1"
SHIPPED = Path(__file__).with_name("shipped_forest")
TREES = 200
TREE = "sklearn.tree._tree.Tree"  # compiled, so skops asks; `_sound` looks at what is in it
AGAIN = "make one with `puppetmaster forest`"


class ForestError(ValueError):
    """A forest that cannot be read. The message is one line."""


@dataclass(frozen=True)
class Reason:
    """What one metric did to a verdict."""

    metric: str
    value: float
    push: float  # added to the share of trees that say "keep"; negative = towards dropping
    usual: tuple[float, float]  # where 90 % of the good animations lie

    @property
    def is_usual(self) -> bool:
        return self.usual[0] <= self.value <= self.usual[1]

    def __str__(self) -> str:
        low, high = self.usual
        where = "usual" if self.is_usual else "low" if self.value < low else "high"
        return f"{self.metric.replace('_', ' ')} {self.value:.3g} is {where} (90 % of the good: {low:.3g} to {high:.3g})"


@dataclass(frozen=True)
class Forest:
    """Trees, their calibration, the threshold, and what they were fitted on."""

    trees: RandomForestClassifier
    slope: float  # p = 1 / (1 + exp(−(slope · logit(share of trees) + offset))), after Platt (1999)
    offset: float
    threshold: float  # of p: what is at least this is kept
    usual: dict[str, tuple[float, float]]  # metric → 5th and 95th percentile of the good
    metrics: tuple[str, ...] = METRICS
    about: dict = field(default_factory=dict)  # labels and their sources, figures, versions

    def probability(self, metrics: np.ndarray) -> np.ndarray:
        """How likely each of metrics (n, M) is a good animation, calibrated: (n,) in [0, 1]."""
        metrics = np.atleast_2d(np.asarray(metrics, float))
        if metrics.shape[1] != len(self.metrics):
            raise ValueError(f"got metrics of shape {metrics.shape}, expected (n, {len(self.metrics)}): "
                             f"{', '.join(self.metrics)}")
        return calibrated(self.trees.predict_proba(metrics)[:, 1], self.slope, self.offset)

    def why(self, metrics: np.ndarray, most: int = 3) -> list[list[Reason]]:
        """The `most` metrics that pushed the verdict on each of animations (n, M) hardest, to the side it fell on.

        Values that are unlike the good ones' come first where it is dropped, values like theirs where it is kept.

        A metric's push is how much the share of good examples changes at the splits that ask for it, from root to leaf, mean
        over the trees (Saabas 2014); with the share at the root they add up to the forest's raw answer.
        """
        metrics, found = np.asarray(metrics, float), []
        for row, push, probability in zip(metrics, pushes(self.trees, metrics), self.probability(metrics), strict=True):
            sign = 1 if probability >= self.threshold else -1
            own = [Reason(self.metrics[i], float(row[i]), float(push[i]), self.usual[self.metrics[i]])
                   for i in np.argsort(-sign * push) if sign * push[i] > 0]
            found.append(sorted(own, key=lambda reason, sign=sign: reason.is_usual != (sign > 0))[:most])
        return found

    def save(self, folder: str | os.PathLike) -> None:
        """Write trees.skops and forest.json; the folder appears whole. Raises OSError."""
        from skops.io import dump

        with whole_folder(folder) as partial:
            dump(self.trees, partial / "trees.skops", compression=zipfile.ZIP_DEFLATED, compresslevel=9)
            write_json(partial / "forest.json", {
                "format": FORMAT, "metrics": {name: MEANING.get(name, "") for name in self.metrics}, "slope": self.slope,
                "offset": self.offset, "threshold": self.threshold, "usual": self.usual, "about": self.about})

    @classmethod
    def load(cls, folder: str | os.PathLike = SHIPPED) -> Forest:
        """The shipped forest, or one of `puppetmaster forest`. Nothing in the files is run. Raises ForestError."""
        from skops.io import get_untrusted_types, load

        folder = Path(folder)
        try:
            said = json.loads((folder / "forest.json").read_text(encoding="utf-8"))
            strange = sorted(set(get_untrusted_types(file=folder / "trees.skops")) - {TREE})
            trees = None if strange or said["format"] != FORMAT else load(folder / "trees.skops", trusted=[TREE])
            usual = {name: (float(low), float(high)) for name, (low, high) in said["usual"].items()}
            forest = cls(trees, said["slope"], said["offset"], said["threshold"], usual, tuple(said["metrics"]), said["about"])
        except FileNotFoundError as error:
            raise ForestError(f"{error.filename}: no such file, expected a forest's folder: {AGAIN}") from None
        except Exception as error:  # a zip, JSON or model of another kind: whatever its reader raises
            raise ForestError(f"{folder}: cannot be read ({type(error).__name__}: {error}): {AGAIN}") from None
        if said["format"] != FORMAT:
            raise ForestError(f"{folder}: got format {said['format']!r}, expected {FORMAT}: {AGAIN}")
        if strange:
            raise ForestError(f"{folder}: its trees hold {', '.join(strange[:3])}, which no forest needs: not loaded; {AGAIN}")
        if not _sound(trees, len(forest.metrics)):
            raise ForestError(f"{folder}: trees.skops holds no forest of {len(forest.metrics)} metrics: {AGAIN}")
        return forest


def _sound(trees, metrics: int) -> bool:
    """Whether it is a forest over so many metrics whose nodes point at nodes that are there: compiled code does not look."""
    if not isinstance(trees, RandomForestClassifier) or trees.n_features_in_ != metrics or list(trees.classes_) != [False, True]:
        return False
    for tree in trees.estimators_:
        inner = tree.tree_
        nodes, here = inner.node_count, np.arange(inner.node_count)
        leaf = inner.children_left == -1
        if not (len(inner.feature) == len(inner.value) == nodes > 0 and inner.value.shape[1:] == (1, 2)
                and (inner.children_right[leaf] == -1).all() and np.isfinite(inner.value).all()):
            return False
        for child in (inner.children_left, inner.children_right):  # farther on, so that no path goes round in circles
            if not ((child[~leaf] > here[~leaf]) & (child[~leaf] < nodes)).all():
                return False
        if not ((inner.feature[~leaf] >= 0) & (inner.feature[~leaf] < metrics)).all():
            return False
    return True


def calibrated(share: np.ndarray, slope: float, offset: float) -> np.ndarray:
    """Probabilities (n,) from shares of trees (n,)."""
    return 1 / (1 + np.exp(-(slope * logit(share) + offset)))


def logit(share: np.ndarray) -> np.ndarray:
    share = np.clip(share, 0.5 / TREES, 1 - 0.5 / TREES)
    return np.log(share / (1 - share))


def pushes(trees: RandomForestClassifier, metrics: np.ndarray) -> np.ndarray:
    """What each metric of each animation (n, M) adds to the share of trees that keep it: (n, M)."""
    metrics = np.asarray(metrics, np.float32)
    out = np.zeros(metrics.shape)
    for tree in trees.estimators_:
        inner = tree.tree_
        good = inner.value[:, 0, 1] / inner.value[:, 0].sum(1)
        path = tree.decision_path(metrics)  # a row's nodes in the order of their numbers, which rise from root to leaf
        row = np.repeat(np.arange(len(metrics)), np.diff(path.indptr))
        inside = row[1:] == row[:-1]
        step = good[path.indices[1:]] - good[path.indices[:-1]]
        np.add.at(out, (row[:-1][inside], inner.feature[path.indices[:-1]][inside]), step[inside])
    return out / len(trees.estimators_)
