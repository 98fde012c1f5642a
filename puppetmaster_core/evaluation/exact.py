"""How good a model's videos are, judged exactly: pictures, and where the object is known directions and what should have stayed.

`evaluate` is the public judge of a model. Every row is held against repeating frame 1 and against the model's `ceilings`, the
last of which is the row it could reach.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from puppetmaster_core.clips import Clip
from puppetmaster_core.drags import Drags
from puppetmaster_core.evaluation.ceilings import ceilings, mask_overlap
from puppetmaster_core.evaluation.intervals import interval, minus, plain, shares
from puppetmaster_core.evaluation.metrics import edge_energy_ratio, moving_region, psnr, static_copy
from puppetmaster_core.evaluation.progress import Progress
from puppetmaster_core.evaluation.subjects import Subject
from puppetmaster_core.evaluation.table1 import clip_seed
from puppetmaster_core.evaluation.tables import HEADS, exact_text
from puppetmaster_core.evaluation.videos import keep_video

MODEL, COPY = "model", "static copy"


@dataclass(frozen=True)
class Results:
    """What `evaluate` found; as text, a table."""

    summary: dict  # by row (model, static copy, ceilings) and score: mean, low, high; and more, see `exact_summary`
    clips: list[dict]  # the scores of each clip

    def __str__(self) -> str:
        return exact_text(self.summary)


def evaluate(pipeline, clips: Iterable[Subject | Clip], *, seed: int = 0, progress: Progress | None = None,
             videos: Path | None = None, **sampling) -> Results:
    """§5: how good a pipeline's videos of `clips` are, beside repeating frame 1 and what its latents make of the true motion.

    clips: of `unseen_subjects`, whose objects are known, or any `Clip`, of which pictures alone are judged. Drags are those that
    a clip is labelled with; noise is drawn from `seed` and the clip's name. sampling: as for the pipeline's call.
    progress: keeps what is done, for a run that may be killed. videos: the folder that keeps the model's videos.
    """
    progress, scores = progress or Progress(), []
    for number, clip in enumerate(clips):
        subject = clip if isinstance(clip, Subject) else Subject(f"{number:06d}", clip)
        judge = partial(evaluate_subject, pipeline, subject, seed=seed, videos=videos, **sampling)
        scores.append({"clip": subject.name, **progress.once(subject.name, judge)})
    if not scores:
        raise ValueError("got no clips, expected at least one")
    return Results(exact_summary(scores), scores)


def evaluate_subject(pipeline, subject: Subject, *, seed: int = 0, videos: Path | None = None, **sampling) -> dict:
    """Scores of one clip by row: PSNR in dB, offsets in pixels at 64, edge energy in the moving region over the true one; of
    motion latents also the "mask IoU" of what moves."""
    clip, drags = subject.clip, subject.drags(pipeline.unet.config.max_drags)
    how = {"seed": clip_seed(seed, subject.name), **sampling}
    made = pipeline(clip.frames[0], drags, **how)
    keep_video(videos, subject.name, made)
    found = exact_scores(subject, drags, {MODEL: made.frames, COPY: static_copy(clip.frames), **ceilings(pipeline, clip, drags)})
    masks = mask_overlap(pipeline, clip, drags, **how)
    return found if masks is None else {**found, "mask IoU": masks}


def exact_scores(subject: Subject, drags: Drags, shown: Mapping[str, np.ndarray]) -> dict:
    """The scores of videos (N, S, S, 3) uint8 of a clip, by row."""
    truth, parts = subject.clip.frames, subject.dragged_parts(drags)
    moving, away, travel = moving_region(truth), subject.off_place(shown, parts), subject.travel(shown, parts)
    scores = {row: {"whole": psnr(video, truth), "moving": psnr(video, truth, moving), "still": psnr(video, truth, ~moving),
                    "off place": away[row], "edge energy": edge_energy_ratio(video, truth, moving)}
              for row, video in shown.items()}
    return {"group": subject.group, "travel": {row: list(map(plain, own)) for row, own in travel.items() if row != COPY},
            "scores": {row: {name: plain(value) for name, value in own.items()} for row, own in scores.items()}}


def exact_summary(scores: list[dict]) -> dict:
    """Means over clips with 95 % bootstrap intervals; the same of what the model gains on the static copy, and by group.

    "rows": their names, the ceiling last. "right direction": the share of dragged parts whose travel is above 0, of those that
    the pictures tell of; clips are drawn for its interval. "sharpness gap": how far the model's edge energy is from the true one.
    "edge energy over ceiling": the model's over the ceiling's, mean over clips.
    """
    generator = np.random.default_rng(0)
    rows = list(scores[0]["scores"])
    told = {row: {name: interval([s["scores"][row][name] for s in scores], generator) for name in HEADS} for row in rows}
    found = {"clips": len(scores), "rows": rows, **told, "over static copy": _gains(scores, generator)}
    ways = {row: right_direction([s["travel"][row] for s in scores], generator) for row in scores[0]["travel"]}
    found |= {"right direction": ways.pop(MODEL), "right direction of": ways}
    found["parts"] = found["right direction"]["parts"] if found["right direction"] else 0
    found["travel"] = interval([t for s in scores for t in s["travel"][MODEL]], generator)
    found["sharpness gap"] = gap(told[MODEL]["edge energy"])
    edges = [_over(*(s["scores"][row]["edge energy"] for row in (MODEL, rows[-1]))) for s in scores if len(rows) > 2]
    found["edge energy over ceiling"] = interval(edges, generator)
    if "mask IoU" in scores[0]:
        found["mask IoU"] = interval([s["mask IoU"] for s in scores], generator)
    groups = dict.fromkeys(s["group"] for s in scores)
    found["groups"] = {group: _of_group([s for s in scores if s["group"] == group], generator) for group in groups}
    return found


def gap(ratio: dict | None) -> dict | None:
    """How far a ratio, a mean with its interval, is from 1."""
    if ratio is None:
        return None
    ends = sorted(abs(ratio[end] - 1) for end in ("low", "high"))
    around = ratio["low"] <= 1 <= ratio["high"]
    return {**ratio, "mean": abs(ratio["mean"] - 1), "low": 0.0 if around else ends[0], "high": ends[1]}


def right_direction(travel: list[list], generator: np.random.Generator) -> dict | None:
    """The share of parts that went the drag's way, of 1, with a 95 % bootstrap interval over clips; None where none tells.

    travel: of each clip's parts; None where the pictures do not tell. A part that stood still did not go the drag's way.
    """
    told = [[t for t in own if t is not None] for own in travel]
    found = shares([(sum(t > 0 for t in own), len(own)) for own in told], generator)
    return {"parts" if name == "items" else name: value for name, value in found[0].items()} if found else None


def _gains(scores: list[dict], generator: np.random.Generator) -> dict:
    both = [(s["scores"][MODEL], s["scores"][COPY]) for s in scores]
    return {name: interval([minus(a[name], b[name]) for a, b in both], generator) for name in ("whole", "moving")}


def _of_group(scores: list[dict], generator: np.random.Generator) -> dict:
    return {"clips": len(scores), "over static copy": _gains(scores, generator),
            "right direction": right_direction([s["travel"][MODEL] for s in scores], generator),
            "off place": interval([s["scores"][MODEL]["off place"] for s in scores], generator)}


def _over(a: float | None, b: float | None) -> float | None:
    return None if a is None or not b else a / b
