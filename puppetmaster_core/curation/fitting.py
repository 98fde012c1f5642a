"""Fitting the forest, and how well it judges objects it has not seen: nested cross-validation grouped by object.

Within each fold's training part, folds of its own give the calibration and the threshold, so that nothing that judges an object
was chosen on it. What was chosen by hand (the metrics, the number of trees, that sources of labels weigh the same) was chosen
with all of them in view.

Letters: n animations, M metrics.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, precision_recall_curve, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from puppetmaster_core import __version__
from puppetmaster_core.curation.examples import Examples
from puppetmaster_core.curation.forest import LEAF, TREES, Forest, calibrated, logit, train_forest
from puppetmaster_core.curation.metrics import METRICS, PAPER

FOLDS = 5
INNER = 4  # folds of a fold's training part
KEPT = 0.95  # of the good of every source of labels: where the threshold lies


@dataclass(frozen=True)
class Settings:
    """What is fitted on the shares of trees: the calibration and the threshold."""

    slope: float
    offset: float
    threshold: float  # of the calibrated probability: KEPT of the good of each source lie at or above


@dataclass(frozen=True)
class Judged:
    """What forests said of objects of which neither their trees nor their settings have seen anything."""

    share: np.ndarray  # (n,) of trees that keep it
    probability: np.ndarray  # (n,), calibrated
    margin: np.ndarray  # (n,), probability less its forest's threshold: kept where that is not negative
    examples: Examples

    @property
    def good(self) -> np.ndarray:
        return self.examples.good

    def ranking(self) -> dict:
        """AUC, average precision, and what is kept of each kind where 95 % of all good ones are: no threshold is chosen."""
        all_good = float(np.quantile(self.probability[self.good], 1 - KEPT, method="lower"))
        return {"auc": round(float(roc_auc_score(self.good, self.probability)), 5),
                "average precision": round(float(average_precision_score(self.good, self.probability)), 5),
                "kept at 95 % of the good": self.kept(self.probability >= all_good)}

    def figures(self) -> dict:
        """`ranking`, the Brier score (mean squared error of the probability, sources of labels weighing the same), and what is
        kept of each kind at the threshold, which keeps 95 % of the good of every source among those that it was chosen on."""
        weights, kept = self.examples.weights(), self.margin >= 0
        by_source = {str(source): round(float(kept[self.good & (self.examples.sources == source)].mean()), 4)
                     for source in np.unique(self.examples.sources[self.good])}
        return {**self.ranking(),
                "brier": round(float(brier_score_loss(self.good, self.probability, sample_weight=weights)), 5),
                "brier, not calibrated": round(float(brier_score_loss(self.good, self.share, sample_weight=weights)), 5),
                "kept at the threshold": self.kept(kept), "kept of the good by source": by_source}

    def kept(self, kept: np.ndarray) -> dict[str, float]:
        """The share of each kind for which kept (n,) is true."""
        kinds = self.examples.kinds
        return {str(kind): round(float(kept[kinds == kind].mean()), 4) for kind in np.unique(kinds)}

    def curves(self, points: int = 60) -> dict:
        """What is drawn of it: precision and recall at `points` thresholds, and `reliability`."""
        precision, recall, _ = precision_recall_curve(self.good, self.probability)
        some = np.unique(np.searchsorted(-recall, -np.linspace(1, 0, points)).clip(0, len(recall) - 1))
        return {"precision": precision[some].round(5).tolist(), "recall": recall[some].round(5).tolist(),
                "reliability": [[round(a, 4), round(b, 4), n] for a, b, n in self.reliability()]}

    def reliability(self, bins: int = 10) -> list[tuple[float, float, int]]:
        """(mean probability, share of good ones, how many) of the animations in each tenth of [0, 1] that has some.

        The means are weighted as the calibration is: sources of labels weigh the same.
        """
        place, weights = np.minimum((self.probability * bins).astype(int), bins - 1), self.examples.weights()
        return [(float(np.average(self.probability[own], weights=weights[own])),
                 float(np.average(self.good[own], weights=weights[own])), int(own.sum()))
                for own in (place == b for b in range(bins)) if own.any()]


def splits(examples: Examples, folds: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(numbers to learn from, numbers to judge) of each fold; no object is in both. Raises ValueError: too few objects."""
    for good in (True, False):
        objects = len(np.unique(examples.groups[examples.good == good]))
        if objects < folds:
            raise ValueError(f"got {objects} objects with {'good' if good else 'bad'} animations, expected {folds} at least")
    parts = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    yield from parts.split(examples.metrics, examples.good, examples.groups)


def unseen_shares(examples: Examples, columns: list[int], folds: int, seed: int) -> np.ndarray:
    """The share of trees (n,) that keeps each example, of trees that have seen none of its object."""
    share = np.full(len(examples), np.nan)
    for learn, judge in splits(examples, folds, seed):
        share[judge] = _share(_train(examples.part(learn), columns, seed), examples.part(judge), columns)
    return share


def settle(share: np.ndarray, examples: Examples) -> Settings:
    """Calibration and threshold from shares (n,) of trees that had not seen the examples."""
    line = LogisticRegression().fit(logit(share)[:, None], examples.good, examples.weights())
    slope, offset = float(line.coef_[0, 0]), float(line.intercept_[0])
    probability = calibrated(share, slope, offset)
    threshold = min(float(np.quantile(probability[examples.good & (examples.sources == source)], 1 - KEPT, method="lower"))
                    for source in np.unique(examples.sources[examples.good]))
    return Settings(slope, offset, threshold)


def cross_validate(examples: Examples, seed: int = 0) -> Judged:
    """Every example judged by trees, a calibration and a threshold that have seen none of its object (nested folds).

    The settings come from folds within the part that the trees learn from. Raises ValueError where there are fewer objects of a
    class than folds.
    """
    columns = list(range(len(METRICS)))
    share, probability, margin = (np.full(len(examples), np.nan) for _ in range(3))
    for learn, judge in splits(examples, FOLDS, seed):
        known = examples.part(learn)
        settings = settle(unseen_shares(known, columns, INNER, seed), known)
        share[judge] = _share(_train(known, columns, seed), examples.part(judge), columns)
        probability[judge] = calibrated(share[judge], settings.slope, settings.offset)
        margin[judge] = probability[judge] - settings.threshold
    return Judged(share, probability, margin, examples)


def _train(examples: Examples, columns: list[int], seed: int):
    return train_forest(examples.metrics[:, columns], examples.good, examples.weights(), seed)


def _share(trees, examples: Examples, columns: list[int]) -> np.ndarray:
    return trees.predict_proba(examples.metrics[:, columns].astype(np.float32))[:, 1]


def fit_forest(examples: Examples, seed: int = 0) -> tuple[Forest, Judged]:
    """The forest fitted on all examples, and what forests made in the same way say of objects they know nothing of.

    Its calibration and threshold come from the shares of trees that had not seen the example. Raises ValueError.
    """
    every = list(range(len(METRICS)))
    judged, settings = cross_validate(examples, seed=seed), settle(unseen_shares(examples, every, FOLDS, seed), examples)
    paper = [METRICS.index(name) for name in PAPER]
    papers = unseen_shares(examples, paper, FOLDS, seed)
    trees = _train(examples, every, seed)
    low, high = np.quantile(examples.metrics[examples.good], (0.05, 0.95), axis=0)
    usual = {name: (float(a), float(b)) for name, a, b in zip(METRICS, low, high, strict=True)}
    importance = dict(sorted(zip(METRICS, trees.feature_importances_.round(4).tolist(), strict=True), key=lambda pair: -pair[1]))
    about = {
        "labels": examples.counts(), "objects": len(np.unique(examples.groups)), "folds": FOLDS, "inner folds": INNER,
        "seed": seed, "trees": TREES, "smallest leaf": LEAF, "kept of the good of every source": KEPT,
        "figures, objects not seen": judged.figures(), "importance": importance, "curves": judged.curves(),
        "figures with the paper's metrics alone": Judged(papers, papers, papers, examples).ranking(),
        "tools": {"puppetmaster_core": __version__, "python": platform.python_version(),
                  **{name: version(name) for name in ("numpy", "scikit-learn", "skops")}},
    }
    return Forest(trees, settings.slope, settings.offset, settings.threshold, usual, METRICS, about), judged
