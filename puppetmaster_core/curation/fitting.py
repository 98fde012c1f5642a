"""Fitting the forest, and how well it judges objects it has not seen: cross-validation grouped by object.

Letters: n animations, M metrics.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, precision_recall_curve, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from puppetmaster_core import __version__
from puppetmaster_core.curation.examples import Examples
from puppetmaster_core.curation.forest import LEAF, TREES, Forest, calibrated, logit, plant
from puppetmaster_core.curation.metrics import METRICS, PAPER

FOLDS = 5
KEPT = 0.95  # of the good of every source of labels: where the threshold lies


@dataclass(frozen=True)
class Judged:
    """What forests said of objects that they were not fitted on."""

    share: np.ndarray  # (n,) of trees that keep it
    slope: float  # of the calibration, fitted on these shares
    offset: float
    probability: np.ndarray  # (n,), calibrated
    threshold: float  # KEPT of the good of each source lie at or above
    examples: Examples

    @property
    def good(self) -> np.ndarray:
        return self.examples.good

    def figures(self) -> dict:
        """AUC, average precision, Brier score (mean squared error of the probability, sources of labels weighing the same), and
        what is kept of each kind.

        "at 95 % of the good": kept where the threshold lies just so low that 95 % of all good ones are kept; "at the
        threshold": at the forest's own, which keeps 95 % of the good of every source of labels.
        """
        all_good = float(np.quantile(self.probability[self.good], 1 - KEPT, method="lower"))
        weights = self.examples.weights()
        return {"auc": round(float(roc_auc_score(self.good, self.probability)), 5),
                "average precision": round(float(average_precision_score(self.good, self.probability)), 5),
                "brier": round(float(brier_score_loss(self.good, self.probability, sample_weight=weights)), 5),
                "brier, not calibrated": round(float(brier_score_loss(self.good, self.share, sample_weight=weights)), 5),
                "kept at 95 % of the good": self.kept(all_good), "kept at the threshold": self.kept(self.threshold),
                "kept of the good by source": {str(source): round(float((self.probability >= self.threshold)[
                    self.good & (self.examples.sources == source)].mean()), 4)
                    for source in np.unique(self.examples.sources[self.good])}}

    def kept(self, threshold: float) -> dict[str, float]:
        """The share of each kind at or above a threshold."""
        kinds = self.examples.kinds
        return {str(kind): round(float((self.probability[kinds == kind] >= threshold).mean()), 4) for kind in np.unique(kinds)}

    def precision_recall(self) -> tuple[np.ndarray, np.ndarray]:
        """Precision and recall of "keep" at every threshold."""
        precision, recall, _ = precision_recall_curve(self.good, self.probability)
        return precision, recall

    def curves(self, points: int = 60) -> dict:
        """What is drawn of it: precision and recall at `points` thresholds, and `reliability`."""
        precision, recall = self.precision_recall()
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


def cross_validate(examples: Examples, metrics: tuple[str, ...] = METRICS, folds: int = FOLDS, seed: int = 0) -> Judged:
    """Every example judged by a forest that has seen none of its object. metrics: those the forests may use.

    Raises ValueError where there are fewer objects of a class than folds.
    """
    columns = [METRICS.index(name) for name in metrics]
    share, weights = np.full(len(examples), np.nan), examples.weights()
    for good in (True, False):
        objects = len(np.unique(examples.groups[examples.good == good]))
        if objects < folds:
            raise ValueError(f"{objects} objects with {'good' if good else 'bad'} animations came, wanted {folds} at least")
    splits = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for learn, judge in splits.split(examples.metrics, examples.good, examples.groups):
        trees = plant(examples.metrics[learn][:, columns], examples.good[learn], weights[learn], seed)
        share[judge] = trees.predict_proba(examples.metrics[judge][:, columns].astype(np.float32))[:, 1]
    line = LogisticRegression().fit(logit(share)[:, None], examples.good, weights)
    slope, offset = float(line.coef_[0, 0]), float(line.intercept_[0])
    probability = calibrated(share, slope, offset)
    threshold = min(float(np.quantile(probability[examples.good & (examples.sources == source)], 1 - KEPT, method="lower"))
                    for source in np.unique(examples.sources[examples.good]))
    return Judged(share, slope, offset, probability, threshold, examples)


def fit_forest(examples: Examples, seed: int = 0) -> tuple[Forest, Judged]:
    """The forest fitted on all examples, with calibration, threshold and figures from cross-validation. Raises ValueError."""
    judged = cross_validate(examples, seed=seed)
    trees = plant(examples.metrics, examples.good, examples.weights(), seed)
    low, high = np.quantile(examples.metrics[examples.good], (0.05, 0.95), axis=0)
    usual = {name: (float(a), float(b)) for name, a, b in zip(METRICS, low, high, strict=True)}
    importance = dict(sorted(zip(METRICS, trees.feature_importances_.round(4).tolist(), strict=True), key=lambda pair: -pair[1]))
    about = {
        "labels": examples.counts(), "objects": len(np.unique(examples.groups)), "folds": FOLDS, "seed": seed,
        "trees": TREES, "smallest leaf": LEAF, "kept of the good of every source": KEPT,
        "figures, objects not seen": judged.figures(), "importance": importance, "curves": judged.curves(),
        "figures with the paper's metrics alone": cross_validate(examples, PAPER, seed=seed).figures(),
        "tools": {"puppetmaster_core": __version__, "python": platform.python_version(),
                  **{name: version(name) for name in ("numpy", "scikit-learn", "skops")}},
    }
    return Forest(trees, judged.slope, judged.offset, judged.threshold, usual, METRICS, about), judged
