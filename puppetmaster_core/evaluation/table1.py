"""Table 1: every row's video of every clip scored, then means over clips with their intervals (§5.1, §5.2).

A row is what makes a video of a test clip: a baseline, a model, or a folder of another method's videos.
Letters: N frames, S side in pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from zlib import crc32

import numpy as np
from tqdm import tqdm

from puppetmaster_core.drags import DragError
from puppetmaster_core.evaluation.intervals import fvd, interval, minus, shares
from puppetmaster_core.evaluation.metrics import METRICS, first_last_blend, static_copy
from puppetmaster_core.evaluation.progress import Progress
from puppetmaster_core.evaluation.scores import DEVICE, Followed, Judges, score_video
from puppetmaster_core.evaluation.suites import Suite, TestClip
from puppetmaster_core.evaluation.videos import (
    VideoError,
    VideoForm,
    find_video,
    folder_name,
    keep_video,
    model_folder,
    read_video,
    resize,
)
from puppetmaster_core.provenance import commit

TRUTH = "the true videos"  # not a row: its features are what FVD compares with
PAIRED = ("psnr", "psnr_moving", "ssim", "motion_error_origins", "motion_error_foreground")


@dataclass(frozen=True)
class Row:
    """A row of the table."""

    name: str
    make: Callable[[TestClip], np.ndarray]  # the video (N, S, S, 3) uint8; raises VideoError where it has none
    note: str = ""  # what a reader must know to read the row rightly
    given_last: bool = False  # it returns the true last frame, whose PSNR is whatever stands for infinity: leave that frame out


STATIC_COPY = Row("static copy", lambda clip: static_copy(clip.frames), "frame 1 repeated")
BLEND = Row("first-last blend", lambda clip: first_last_blend(clip.frames), "knows the true last frame, which is not scored",
            given_last=True)


def model_row(name: str, pipeline, size: int, *, seed: int = 0, videos: Path | None = None, **sampling) -> Row:
    """A row of a pipeline's videos of clips of `size` pixels. A clip's noise depends on `seed` and the clip's id, not on which
    clips are judged with it. A clip without drags has no video: it asks for nothing.

    A model of another size works at its own, and its video is resized to the clip's: the note says so. videos: the folder that
    keeps them, as they were made.
    """

    def make(clip: TestClip) -> np.ndarray:
        if clip.drags is None:
            raise VideoError(f"got no drags with {clip.id}, expected {clip.id}.json beside its video, for the model to follow")
        video = pipeline(clip.frames[0], clip.drags, seed=clip_seed(seed, clip.id), **sampling)
        if len(video.frames) != len(clip.frames):
            made = len(video.frames)
            raise VideoError(f"the model makes {made} frames, the clip has {len(clip.frames)}: choose --frames {made}")
        keep_video(videos, clip.id, video)
        return resize(video.frames, clip.frames.shape[1])

    own = pipeline.latents.side((size, size))
    return Row(name, make, "" if own == size else f"made at {own} pixels and {'enlarged' if own < size else 'reduced'}")


def clip_seed(seed: int, clip: str) -> int:
    """The seed of a clip's noise."""
    return (seed * 1_000_003 + crc32(clip.encode())) % 2**32


def folder_rows(folder: str | Path) -> list[Row]:
    """A row for each method of `folder`: METHOD/CLIP.mp4, .gif or a folder of .png, brought back as METHOD/method.json says.

    Raises VideoError where there is no method.
    """
    folder = Path(folder)
    methods = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if not methods:
        raise VideoError(f"{folder}: got no methods, expected a folder with METHOD/CLIP.mp4 or METHOD/CLIP.gif")
    return [_folder_row(path) for path in methods]


def _folder_row(folder: Path) -> Row:
    form = VideoForm.of(folder)

    def make(clip: TestClip) -> np.ndarray:
        path = find_video(folder, clip.id)
        if path is None:
            raise VideoError(f"{folder.name} has no video of {clip.id}")
        frames = read_video(path)
        try:
            return form.undo(frames, len(clip.frames), clip.frames.shape[1])
        except VideoError as error:
            raise VideoError(f"{path}: {error}") from None

    return Row(folder.name, make)


def check_names(names: Sequence[str]) -> None:
    """VideoError where a name of a row came twice, or is taken by the true videos."""
    for k, name in enumerate(names):
        if name in (TRUTH, *names[:k]):
            raise VideoError(f"got two rows with the name {name!r}, expected one: rename the folder of that method, or leave out "
                             "the model")


def table_1(suite: Suite, rows: Sequence[Row], pipelines: Mapping[str, object], judges: Judges, *, seed: int = 0,
            sampling: Mapping | None = None, progress: Progress | None = None, videos: Path | None = None) -> dict:
    """The result of a suite: `summary` by row, `records` by row and clip, and what they depend on. The names of rows and models
    are all different (`check_names`). Raises VideoError where no clip could be scored.

    progress: what a killed run has done already, and where this one's is kept; the caller says when it is done. videos: a folder;
    the models' are kept in folders of their names there.
    """
    sampling, progress = dict(sampling or {}), progress or Progress()
    check_names([folder_name(name) for name in pipelines] if videos else [])
    names = {name: distance.name for name, distance in judges.distances.items()}
    settings = {"kind": "table1", "suite": suite.name, "size": suite.size, "frames": suite.frames, "models": list(pipelines),
                "seed": seed, **sampling, "tracker": judges.tracker.name if judges.tracker else None,
                "lpips": names.pop("lpips", None), "fvd": sorted(judges.features), **names}
    progress.begin(settings | {"data": str(suite.folder.resolve()), "commit": commit(), "videos": videos and str(videos)})
    folders = {name: model_folder(videos, name, again=progress.resumed) for name in pipelines}
    rows = [*rows, *(model_row(name, pipeline, suite.size, seed=seed, videos=folders[name], **sampling)
                     for name, pipeline in pipelines.items())]
    records = evaluate_suite(suite, rows, judges, progress)
    summary = summarise(records)
    if not any(row["clips"] for row in summary.values()):
        raise VideoError(f"no clip of {suite.folder} could be scored: {records[0]['failed'] if records else 'it has none'}")
    published = [{name: value for name, value in record.items() if name != "features"}  # which are thousands of numbers
                 for record in records if record["row"] != TRUTH]
    return {**settings, "clips": len(suite), "rough_tracker": bool(judges.tracker and judges.tracker.rough), "device": DEVICE,
            "notes": {row.name: row.note for row in rows if row.note}, "summary": summary,
            "records": published}


def evaluate_suite(suite: Suite, rows: Sequence[Row], judges: Judges, progress: Progress) -> list[dict]:
    """A record for every row and clip: {"row", "clip", "scores"} or {"row", "clip", "failed": why}.

    A clip that cannot be read fails for every row; a row without a video of a clip fails for that clip. Neither stops the rest.
    """
    return [record for name, clip in tqdm(suite, total=len(suite), desc=suite.name)
            for record in _evaluate_clip(name, clip, rows, judges, progress)]


def _evaluate_clip(name: str, clip: TestClip | str, rows: Sequence[Row], judges: Judges, progress: Progress) -> list[dict]:
    """clip: or why it cannot be read."""
    followed = cache(lambda: Followed.of(clip, judges.tracker))  # once for all rows, and not where all are done
    records = [progress.once(f"{row.name}: {name}", partial(_score_row, row, name, clip, judges, followed)) for row in rows]
    if judges.features and not isinstance(clip, str):
        truth = {"row": TRUTH, "clip": name, "scores": {}}
        records.append(progress.once(f"{TRUTH}: {name}", lambda: truth | {"features": judges.features_of(clip.frames)}))
    return records


def _score_row(row: Row, name: str, clip: TestClip | str, judges: Judges, followed: Callable[[], Followed | None]) -> dict:
    record = {"row": row.name, "clip": name}
    if isinstance(clip, str):
        return {**record, "failed": clip}
    try:
        video = row.make(clip)
        if row.given_last:
            video, clip = video[:-1], clip.without_last()
        return {**record, **score_video(video, clip, judges, followed())}
    except (VideoError, DragError, FloatingPointError) as error:
        return {**record, "failed": str(error)}


def summarise(records: list[dict]) -> dict[str, dict]:
    """For each row: its clips, each metric's mean with a 95 % interval, and the same of what it gains on the static copy.

    A row's gain is taken over its own clips, so a row that lacks some is compared on equal ground.
    """
    truth = {r["clip"]: r["features"] for r in records if r["row"] == TRUTH}
    copies = {r["clip"]: r["scores"] for r in records if r["row"] == STATIC_COPY.name and "scores" in r}
    table = {}
    for row in dict.fromkeys(r["row"] for r in records if r["row"] != TRUTH):
        own = [r for r in records if r["row"] == row and "scores" in r]
        generator = np.random.default_rng(0)
        found = {name: interval([r["scores"].get(name) for r in own], generator) for name in METRICS}
        found |= directions([r["directions"] for r in own if "directions" in r], generator)
        for network in sorted({name for r in own for name in r.get("features", {})}):
            pairs = [(r["features"][network], truth[r["clip"]][network]) for r in own if r["clip"] in truth]
            found[f"fvd_{network}"] = fvd(pairs)
        if row != STATIC_COPY.name:
            pairs = [(r["scores"], copies[r["clip"]]) for r in own if r["clip"] in copies]
            gains = {m: interval([minus(one.get(m), copy.get(m)) for one, copy in pairs], generator) for m in PAIRED}
            found["over_static_copy"] = {name: gain for name, gain in gains.items() if gain}
        failed = sum(r["row"] == row and "failed" in r for r in records)
        table[row] = {"clips": len(own), "failed": failed} | {name: value for name, value in found.items() if value is not None}
    return table


def directions(counts: list[dict], generator: np.random.Generator) -> dict:
    """Shares of drags, in percent, that went wrong or too little to tell, with 95 % bootstrap intervals over clips."""
    found = shares([(c["wrong"], c["unclear"], c["right"] + c["wrong"] + c["unclear"]) for c in counts], generator)
    return {name: {end: 100 * share[end] for end in ("mean", "low", "high")} | {"clips": share["clips"], "drags": share["items"]}
            for name, share in zip(("wrong_direction", "unclear_direction"), found, strict=False)}
