"""Fitting the forest, and how well it judges objects it has not seen: nested cross-validation grouped by object.

Within each fold's training part, folds of its own give the calibration and the threshold, so that nothing that judges an object
was chosen on it. What was chosen by hand (the metrics, the number of trees, that sources of labels weigh the same) was chosen
with all of them in view.

Letters: n animations, M metrics.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, precision_recall_curve, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from puppetmaster_core.curation.examples import Examples
from puppetmaster_core.curation.forest import TREES, Forest, calibrated, logit
from puppetmaster_core.curation.metrics import METRICS, PAPER
from puppetmaster_core.provenance import versions

LEAF = 2  # examples in a leaf at least
FOLDS = 5
INNER = 4  # folds of a fold's training part
KEPT = 0.95  # of the good of every source of labels: where the threshold lies


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

    def figures(self) -> dict:
        """`ranking`, the Brier score (mean squared error of the probability, sources of labels weighing the same), and what is
        kept of each kind at the threshold, which keeps 95 % of the good of every source among those that it was chosen on."""
        weights, kept = self.examples.weights(), self.margin >= 0
        return {**ranking(self.examples, self.probability),
                "brier": round(float(brier_score_loss(self.good, self.probability, sample_weight=weights)), 5),
                "brier, not calibrated": round(float(brier_score_loss(self.good, self.share, sample_weight=weights)), 5),
                "kept at the threshold": kept_by(self.examples.kinds, kept),
                "kept of the good by source": kept_by(self.examples.sources[self.good], kept[self.good])}

    def curves(self) -> dict:
        """What is drawn of it. Precision and recall at 60 thresholds; of each tenth of [0, 1] that has some animations, in
        `reliability`: mean probability, share of good ones (sources of labels weighing the same in both), how many."""
        precision, recall, _ = precision_recall_curve(self.good, self.probability)
        some = np.unique(np.searchsorted(-recall, -np.linspace(1, 0, 60)).clip(0, len(recall) - 1))
        place, weights = np.minimum((self.probability * 10).astype(int), 9), self.examples.weights()
        tenths = [place == tenth for tenth in np.unique(place)]
        means = [[round(float(np.average(value[own], weights=weights[own])), 4) for value in (self.probability, self.good)]
                 for own in tenths]
        return {"precision": precision[some].round(5).tolist(), "recall": recall[some].round(5).tolist(),
                "reliability": [[*mean, int(own.sum())] for mean, own in zip(means, tenths, strict=True)]}


def ranking(examples: Examples, probability: np.ndarray) -> dict:
    """AUC, average precision, and what is kept of each kind where 95 % of all good ones are: no threshold is chosen."""
    all_good = float(np.quantile(probability[examples.good], 1 - KEPT, method="lower"))
    return {"auc": round(float(roc_auc_score(examples.good, probability)), 5),
            "average precision": round(float(average_precision_score(examples.good, probability)), 5),
            "kept at 95 % of the good": kept_by(examples.kinds, probability >= all_good)}


def kept_by(names: np.ndarray, kept: np.ndarray) -> dict[str, float]:
    """The share of each of names (n,), of kinds or sources, for which kept (n,) is true."""
    return {str(name): round(float(kept[names == name].mean()), 4) for name in np.unique(names)}


def splits(examples: Examples, folds: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(numbers to learn from, numbers to judge) of each fold; no object is in both. Raises ValueError: too few objects."""
    for good in (True, False):
        objects = len(np.unique(examples.groups[examples.good == good]))
        if objects < folds:
            raise ValueError(f"got {objects} objects with {'good' if good else 'bad'} animations, expected {folds} at least")
    parts = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    yield from parts.split(examples.metrics, examples.good, examples.groups)


def unseen_shares(examples: Examples, folds: int, seed: int) -> np.ndarray:
    """The share of trees (n,) that keeps each example, of trees that have seen none of its object."""
    share = np.full(len(examples), np.nan)
    for learn, judge in splits(examples, folds, seed):
        share[judge] = train_forest(examples.part(learn), seed).predict_proba(examples.metrics[judge])[:, 1]
    return share


def train_forest(examples: Examples, seed: int) -> RandomForestClassifier:
    """Trees fitted on the examples, which count by their weights."""
    trees = RandomForestClassifier(TREES, min_samples_leaf=LEAF, random_state=seed, n_jobs=1)
    return trees.fit(examples.metrics.astype(np.float32), examples.good, examples.weights())


def _calibrate(share: np.ndarray, examples: Examples) -> tuple[float, float, float]:
    """Slope, offset and threshold from shares (n,) of trees that had not seen the examples.

    The first two calibrate the share to a probability; KEPT of the good of each source have the threshold or more of that.
    """
    line = LogisticRegression().fit(logit(share)[:, None], examples.good, examples.weights())
    slope, offset = float(line.coef_[0, 0]), float(line.intercept_[0])
    probability = calibrated(share, slope, offset)
    threshold = min(float(np.quantile(probability[examples.good & (examples.sources == source)], 1 - KEPT, method="lower"))
                    for source in np.unique(examples.sources[examples.good]))
    return slope, offset, threshold


def cross_validate(examples: Examples, seed: int = 0) -> Judged:
    """Every example judged by trees, a calibration and a threshold that have seen none of its object (nested folds).

    The settings come from folds within the part that the trees learn from. Raises ValueError where there are fewer objects of a
    class than folds.
    """
    share = unseen_shares(examples, FOLDS, seed)
    probability, margin = np.empty_like(share), np.empty_like(share)
    for learn, judge in splits(examples, FOLDS, seed):
        known = examples.part(learn)
        slope, offset, threshold = _calibrate(unseen_shares(known, INNER, seed), known)
        probability[judge] = calibrated(share[judge], slope, offset)
        margin[judge] = probability[judge] - threshold
    return Judged(share, probability, margin, examples)


def fit_forest(examples: Examples, seed: int = 0) -> Forest:
    """The forest fitted on all examples; in `about`, what forests made in the same way say of objects they know nothing of.

    Its calibration and threshold come from the shares of trees that had not seen the example. Raises ValueError.
    """
    judged, trees = cross_validate(examples, seed), train_forest(examples, seed)
    papers = replace(examples, metrics=examples.metrics[:, [METRICS.index(name) for name in PAPER]])
    low, high = np.quantile(examples.metrics[examples.good], (0.05, 0.95), axis=0)
    usual = {name: (float(a), float(b)) for name, a, b in zip(METRICS, low, high, strict=True)}
    importance = dict(sorted(zip(METRICS, trees.feature_importances_.round(4).tolist(), strict=True), key=lambda pair: -pair[1]))
    about = {
        "labels": examples.counts(), "objects": len(np.unique(examples.groups)), "folds": FOLDS, "inner folds": INNER,
        "seed": seed, "trees": TREES, "smallest leaf": LEAF, "kept of the good of every source": KEPT,
        "figures, objects not seen": judged.figures(), "importance": importance, "curves": judged.curves(),
        "figures with the paper's metrics alone": ranking(papers, unseen_shares(papers, FOLDS, seed)),
        "tools": versions("numpy", "scikit-learn", "skops"),
    }
    return Forest(trees, *_calibrate(judged.share, examples), usual, METRICS, about)
