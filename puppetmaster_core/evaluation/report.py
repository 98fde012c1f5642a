"""Table 1 from end to end: rows, judges and clips in, a result with its tables out. What `puppetmaster evaluate --data` calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from puppetmaster_core.evaluation import tables
from puppetmaster_core.evaluation.perceptual import Lpips, MetricError, VideoFeatures
from puppetmaster_core.evaluation.progress import Progress
from puppetmaster_core.evaluation.rows import REFERENCES, Row, folder_rows, model_row
from puppetmaster_core.evaluation.st_lpips import StLpips
from puppetmaster_core.evaluation.suites import Suite
from puppetmaster_core.evaluation.table1 import TRUTH, Judges, check_names, evaluate_suite, summarise
from puppetmaster_core.evaluation.trackers import load_tracker
from puppetmaster_core.evaluation.videos import VideoError, folder_name, model_folder
from puppetmaster_core.provenance import commit

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def judges(tracker: str = "none", checkpoint: str | None = None, perceptual: Sequence[str] = (), device: str = DEVICE) -> Judges:
    """By name, as the command line gives them. Raises TrackerError and MetricError before anything long begins.

    ST-LPIPS, which is optional, is skipped where its package is not installed; `skipped` says so.
    """
    lpips = next((name for name in perceptual if name.startswith("lpips")), None)
    if {"lpips", "lpips-vgg"} <= set(perceptual):
        raise MetricError("got lpips and lpips-vgg together, expected one of them: the table has one column for it")
    networks = [name.removeprefix("fvd-") for name in perceptual if name.startswith("fvd-")]
    st_lpips, skipped = None, {}
    if "st-lpips" in perceptual:
        try:
            st_lpips = StLpips(device=device)
        except MetricError as error:
            skipped["ST-LPIPS"] = f"skipped, {error}"
    return Judges(
        None if tracker == "none" else load_tracker(tracker, device, checkpoint),
        Lpips("vgg" if lpips == "lpips-vgg" else "alex", device) if lpips else None,
        {network: VideoFeatures(network, device) for network in networks},
        st_lpips,
        skipped,
    )


def reference_rows(methods: Path | None) -> list[Row]:
    """The static copy, the blend, and a row for each method of a folder. Raises VideoError."""
    return [*REFERENCES, *(folder_rows(methods) if methods else [])]


def table_1(suite: Suite, rows: Sequence[Row], pipelines: Mapping[str, object], judges: Judges, *, seed: int = 0,
            sampling: Mapping | None = None, progress: Progress | None = None, videos: Path | None = None) -> dict:
    """The result of a suite: `summary` by row, `records` by row and clip, and what they depend on. Raises VideoError where no
    clip could be scored, or two rows share a name.

    progress: what a killed run has done already, and where this one's is kept; the caller says when it is done. videos: a folder;
    the models' are kept in folders of their names there.
    """
    sampling, progress = dict(sampling or {}), progress or Progress()
    check_names([folder_name(name) for name in pipelines] if videos else [])
    named = {"tracker": judges.tracker.name if judges.tracker else None, "lpips": judges.lpips.name if judges.lpips else None,
             "fvd": sorted(judges.features)} | ({"st_lpips": judges.st_lpips.name} if judges.st_lpips else {})
    settings = {"kind": "table1", "suite": suite.name, "size": suite.size, "frames": suite.frames, "models": list(pipelines),
                "seed": seed, **sampling, **named}
    progress.begin(settings | {"data": str(suite.folder.resolve()), "commit": commit(), "videos": videos and str(videos)})
    folders = {name: model_folder(videos, name, again=progress.resumed) for name in pipelines}
    rows = [*rows, *(model_row(name, pipeline, suite.size, seed=seed, videos=folders[name], **sampling)
                     for name, pipeline in pipelines.items())]
    records = evaluate_suite(suite, rows, judges, progress)
    summary = summarise(records)
    if not any(row["clips"] for row in summary.values()):
        raise VideoError(f"no clip of {suite.folder} could be scored: {records[0]['failed'] if records else 'it has none'}")
    return {**settings, "clips": len(suite), "rough_tracker": bool(judges.tracker and judges.tracker.rough), "device": DEVICE,
            "notes": {row.name: row.note for row in rows if row.note} | judges.skipped, "summary": summary,
            "records": [without_features(r) for r in records if r["row"] != TRUTH]}


def table_1_text(record: dict) -> str:
    """Our table, what to know of it, and the paper's table under it."""
    pictures = f"{record['frames']} frames of {record['size']} pixels"
    lines = [f"{record['suite']}: {record['clips']} clips, {pictures}, 95 % intervals over clips", tables.text(record["summary"])]
    if record["tracker"]:
        rough = ": for smoke tests, not to be compared with the paper" if record["rough_tracker"] else ""
        lines.append(f"tracks by {record['tracker']}{rough}")
    lines += [f"{row}: {note}" for row, note in record["notes"].items()]
    failed = [r for r in record["records"] if "failed" in r]
    if failed:
        first = failed[0]
        lines.append(f"{len(failed)} videos not scored, the first: {first['row']}, {first['clip']}: {first['failed']}")
    if paper := tables.paper_table(record["suite"]):
        lines += ["", "The paper's figures, of 100 clips and by code that is not published:", tables.text(paper)]
    return "\n".join(lines)


def without_features(record: dict) -> dict:
    """A record as it is published: features are thousands of numbers."""
    return {name: value for name, value in record.items() if name != "features"}
