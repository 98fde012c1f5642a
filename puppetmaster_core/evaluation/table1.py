"""Table 1: every row's video of every clip scored, then means over clips with their intervals (§5.1, §5.2).

Letters: N frames, S side in pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from tqdm import tqdm

from puppetmaster_core.drags import DragError
from puppetmaster_core.evaluation.metrics import bootstrap_interval
from puppetmaster_core.evaluation.perceptual import frechet_distance
from puppetmaster_core.evaluation.progress import Progress
from puppetmaster_core.evaluation.rows import STATIC_COPY, Row
from puppetmaster_core.evaluation.scores import METRICS, Followed, motion_scores, picture_scores
from puppetmaster_core.evaluation.suites import Suite, TestClip, without_last
from puppetmaster_core.evaluation.trackers import PointTracker
from puppetmaster_core.evaluation.videos import VideoError

TRUTH = "the true videos"  # not a row: its features are what FVD compares with
PAIRED = ("psnr", "psnr_moving", "ssim", "motion_error_origins", "motion_error_foreground")


@dataclass(frozen=True)
class Judges:
    """What the scores beyond pixels need; what is missing leaves its columns out."""

    tracker: PointTracker | None = None
    lpips: Callable[[np.ndarray, np.ndarray], float] | None = None
    features: dict[str, Callable[[np.ndarray], np.ndarray]] = field(default_factory=dict)  # "i3d", "videomae"
    st_lpips: Callable[[np.ndarray, np.ndarray], float] | None = None
    skipped: dict[str, str] = field(default_factory=dict)  # metrics that were asked for and are not there, each with why


def evaluate_suite(suite: Suite, rows: Sequence[Row], judges: Judges, progress: Progress) -> list[dict]:
    """A record for every row and clip: {"row", "clip", "scores"} or {"row", "clip", "failed": why}.

    A clip that cannot be read fails for every row; a row without a video of a clip fails for that clip. Neither stops the rest.
    Raises VideoError where two rows share a name.
    """
    names = [row.name for row in rows]
    check_names(names)
    records = []
    for name, clip in tqdm(suite, total=len(suite), desc=suite.name):
        wanted = [*names, *([TRUTH] if judges.features else [])]
        kept = [progress.get(row, name) for row in wanted]
        if all(kept):
            records += kept
            continue
        if isinstance(clip, str):
            fresh = [{"row": row, "clip": name, "failed": clip} for row in names]
        else:
            fresh = _evaluate_clip(clip, rows, judges, progress)
        for record in fresh:
            progress.add(record)
        records += fresh
    return records


def check_names(names: Sequence[str]) -> None:
    """VideoError where a name of a row came twice, or is taken by the true videos."""
    for k, name in enumerate(names):
        if name in (TRUTH, *names[:k]):
            raise VideoError(f"got two rows with the name {name!r}, expected one: rename the folder of that method, or leave out "
                             "the model")


def _evaluate_clip(clip: TestClip, rows: Sequence[Row], judges: Judges, progress: Progress) -> list[dict]:
    """The records of one clip, old ones included."""
    followed = Followed.of(clip, judges.tracker) if judges.tracker else None
    records = []
    for row in rows:
        record = progress.get(row.name, clip.id)
        if record is None:
            try:
                record = {"row": row.name, "clip": clip.id, **_score_row(row, clip, judges, followed)}
            except (VideoError, DragError, FloatingPointError) as error:
                record = {"row": row.name, "clip": clip.id, "failed": str(error)}
        records.append(record)
    if judges.features:
        features = {name: judge(clip.frames[None])[0].tolist() for name, judge in judges.features.items()}
        records.append({"row": TRUTH, "clip": clip.id, "scores": {}, "features": features})
    return records


def _score_row(row: Row, clip: TestClip, judges: Judges, followed: Followed | None) -> dict:
    if not row.given_last:
        return score(row.make(clip), clip, judges, followed)
    return score(row.make(clip)[:-1], without_last(clip), judges, followed and followed.without_last())


def score(video: np.ndarray, clip: TestClip, judges: Judges, followed: Followed | None) -> dict:
    """All scores of one video (N, S, S, 3) uint8 of a clip. Raises VideoError where it is not of the clip's shape."""
    if video.shape != clip.frames.shape or video.dtype != np.uint8:
        raise VideoError(f"got a video as {video.dtype} {video.shape}, expected uint8 {clip.frames.shape}")
    scores = picture_scores(video, clip)
    if judges.lpips:
        scores["lpips"] = judges.lpips(video, clip.frames)
    if judges.st_lpips:
        scores["st_lpips"] = judges.st_lpips(video, clip.frames)
    moved = motion_scores(video, clip, followed, judges.tracker) if judges.tracker else {}
    directions = moved.pop("directions", None)
    record = {"scores": {name: _json_number(value) for name, value in (scores | moved).items()}}
    if directions:
        record["directions"] = directions
    if judges.features:
        record["features"] = {name: judge(video[None])[0].tolist() for name, judge in judges.features.items()}
    return record


def summarise(records: list[dict], seed: int = 0) -> dict[str, dict]:
    """For each row: its clips, each metric's mean with a 95 % interval, and the same of what it gains on the static copy.

    The intervals are percentile bootstraps over clips; for FVD, which no clip has by itself, a jackknife's ±1.96 standard errors.
    A row's gain is taken over its own clips, so a row that lacks some is compared on equal ground.
    """
    truth = {r["clip"]: r["features"] for r in records if r["row"] == TRUTH}
    copies = {r["clip"]: r["scores"] for r in records if r["row"] == STATIC_COPY.name and "scores" in r}
    table = {}
    for row in dict.fromkeys(r["row"] for r in records if r["row"] != TRUTH):
        own = [r for r in records if r["row"] == row and "scores" in r]
        generator = np.random.default_rng(seed)
        summary = {"clips": len(own), "failed": sum(r["row"] == row and "failed" in r for r in records)}
        for name in METRICS:
            summary |= _named(name, interval([r["scores"].get(name) for r in own], generator))
        summary |= directions([r["directions"] for r in own if "directions" in r], generator)
        for network in sorted({name for r in own for name in r.get("features", {})}):
            pairs = [(r["features"][network], truth[r["clip"]][network]) for r in own if r["clip"] in truth]
            summary |= _named(f"fvd_{network}", fvd(pairs))
        if row != STATIC_COPY.name:
            pairs = [(r["scores"], copies[r["clip"]]) for r in own if r["clip"] in copies]
            gains = {m: interval([_minus(one.get(m), copy.get(m)) for one, copy in pairs], generator) for m in PAIRED}
            summary["over_static_copy"] = {name: gain for name, gain in gains.items() if gain}
        table[row] = summary
    return table


def interval(values: Sequence[float | None], generator: np.random.Generator) -> dict | None:
    """Mean of the values that are there, with a 95 % bootstrap interval; None where there is none."""
    there = [v for v in values if v is not None and np.isfinite(v)]
    if not there:
        return None
    low, high = bootstrap_interval(there, generator)
    return {"mean": float(np.mean(there)), "low": low, "high": high, "clips": len(there)}


def directions(counts: list[dict], generator: np.random.Generator, resamples: int = 10_000) -> dict:
    """Shares of drags, in percent, that went wrong or too little to tell, with 95 % bootstrap intervals over clips."""
    table = np.array([[c["wrong"], c["unclear"], c["right"] + c["wrong"] + c["unclear"]] for c in counts], float).reshape(-1, 3)
    if not table.sum():
        return {}
    drawn = table[generator.integers(len(table), size=(resamples, len(table)))].sum(1)  # (resamples, 3)
    found = {}
    for column, name in enumerate(("wrong_direction", "unclear_direction")):
        low, high = 100 * np.quantile(drawn[:, column] / drawn[:, 2], [0.025, 0.975])
        mean = 100 * table[:, column].sum() / table[:, 2].sum()
        found[name] = {"mean": float(mean), "low": float(low), "high": float(high), "clips": len(table),
                       "drags": int(table[:, 2].sum())}
    return found


def fvd(pairs: list[tuple]) -> dict | None:
    """Fréchet distance of features (own, true) of clips; interval: ±1.96 jackknife standard errors. None for fewer than 3 clips.

    A bootstrap would draw some clips twice, and fewer distinct clips make the distance larger: its interval would miss the value.
    """
    if len(pairs) < 3:
        return None
    own, true = (np.array(side, float) for side in zip(*pairs, strict=True))
    value, n = frechet_distance(own, true), len(pairs)
    without = np.array([frechet_distance(np.delete(own, i, 0), np.delete(true, i, 0)) for i in range(n)])
    error = np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum())
    return {"mean": value, "low": value - 1.96 * error, "high": value + 1.96 * error, "clips": n}


def _named(name: str, value: dict | None) -> dict:
    return {} if value is None else {name: value}


def _minus(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b


def _json_number(value: float) -> float | None:
    """JSON has no NaN."""
    return float(value) if np.isfinite(value) else None
