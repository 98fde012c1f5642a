"""From metrics to verdicts: the forest's stage, the judge's answers joined, the funnel from all animations to HQ, the report."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from puppetmaster_core.clips.mixture import group_of
from puppetmaster_core.curation.forest import Forest
from puppetmaster_core.curation.measuring import CurationJob
from puppetmaster_core.curation.metrics import METRICS
from puppetmaster_core.curation.prefilter import uid_of
from puppetmaster_core.curation.tables import ANIMATIONS, ASSETS, read_rows, write_table
from puppetmaster_core.files import write_json
from puppetmaster_core.jobs import is_done
from puppetmaster_core.provenance import versions

KEEP, DROP, HQ, FAILED = "animation", "dropped", "HQ", "failed"  # what becomes of an animation


def animation_id(row: Mapping) -> str:
    """What an animation is called: its asset's name and its index there."""
    return f"{row['asset']}#{row['animation']}"


def forest_verdicts(job: CurationJob, parts: Iterable[int], forest: Forest) -> list[dict]:
    """Rows of the finished parts' animations with what the forest says of each, and what is known of its asset."""
    paths = [job.files(part) for part in parts]
    rows, assets = read_rows(*(a for a, _ in paths)), {row["number"]: row for row in read_rows(*(b for _, b in paths))}
    measured = [row for row in rows if row["error"] is None]
    metrics = np.array([[row[name] for name in METRICS] for row in measured], float).reshape(-1, len(METRICS))
    tools = json.dumps(versions("numpy", "pyarrow", "scikit-learn", "skops"))
    for row in rows:
        asset = assets[row["number"]]
        category = job.categories.of(row["asset"]) or asset["category"]
        row |= {"sha256": asset["sha256"], "licence": asset["licence"], "category": category,
                "group": group_of(category, {"source": asset["source"]}), "probability": None, "realistic": None,
                "judge_reason": None, "judge_error": None, "verdict": FAILED, "stage": "metrics", "reason": row["error"],
                "tools": tools}
    if measured:
        for row, probability, why in zip(measured, forest.probability(metrics), forest.why(metrics, 2), strict=True):
            row |= {"probability": float(probability), "stage": "forest", "reason": "; ".join(map(str, why)),
                    "verdict": KEEP if probability >= forest.threshold else DROP}
    return rows


def kept(rows: Iterable[dict]) -> list[dict]:
    """The rows that the forest kept."""
    return [row for row in rows if row["verdict"] == KEEP]


def join_answer(row: dict, answer: Mapping) -> None:
    """Put the judge's answer into a row that the forest kept: realistic → HQ, unrealistic → dropped.

    An animation whose answer failed stays where the forest put it, and says why.
    """
    row |= {"stage": "judge", "judge_error": answer.get("error")}
    if not answer.get("error"):
        row |= {"realistic": answer["realistic"], "judge_reason": answer["reason"], "reason": answer["reason"],
                "verdict": HQ if answer["realistic"] else DROP}


def finish(job: CurationJob, forest: Forest, answers: Callable[[dict], Mapping | None] | None = None) -> dict | None:
    """Write the run's tables and lists; the report, or None while parts or answers of other ranks are missing.

    answers: what the judge said of a row that the forest kept (None = nothing yet); None = nobody judges.
    """
    parts = range(len(job.plan.parts))
    if not all(is_done(job, part) for part in parts):
        return None
    rows = forest_verdicts(job, parts, forest)
    for row in kept(rows) if answers else ():
        if (answer := answers(row)) is None:
            return None
        join_answer(row, answer)
    assets = read_rows(*(job.files(part)[1] for part in parts))
    write_table(job.folder / "assets.parquet", assets, ASSETS)
    write_table(job.folder / "animations.parquet", rows, ANIMATIONS)
    for name, ids in subsets(rows).items():
        write_json(job.folder / f"{name}.json", ids)
    notes = Counter(sorted(kind for row in assets for kind in row.get("notes") or ()))
    return {"assets": len(assets), "animations": len(rows), "funnel": funnel(assets, rows),
            "assets with notes": dict(notes.most_common()),
            "failures": [{key: row[key] for key in ("asset", "error", "stderr")} for row in assets if row["error"]],
            "categories skipped": job.categories.skipped,
            "forest": {"threshold": forest.threshold, "labels": forest.about.get("labels"),
                       "figures, objects not seen": forest.about.get("figures, objects not seen")}}


def subsets(rows: list[dict]) -> dict[str, list[str]]:
    """Ids of the assets with an animation in each subset, as the paper's published lists have them; HQ only where judged."""
    ids = {"animation": sorted({uid_of(r["asset"]) for r in rows if r["verdict"] in (KEEP, HQ) or r["stage"] == "judge"})}
    if any(row["stage"] == "judge" for row in rows):
        ids["animation-HQ"] = sorted({uid_of(row["asset"]) for row in rows if row["verdict"] == HQ})
    return ids


def funnel(assets: list[dict], rows: list[dict]) -> dict[str, dict[str, int]]:
    """How many there are at each stage, and what was lost there and why: {stage: {"in": …, "out": …, lost by reason: …}}."""
    lost = {"Poor-quality": sum(row["left_out"] is not None for row in assets),
            "failed": sum(row["error"] is not None for row in assets),
            "no animation": sum(row["animations"] == 0 for row in assets)}
    stages = {"assets": {"in": len(assets), "out": len(assets) - sum(lost.values()), **lost}}
    measured = sum(row["verdict"] != FAILED for row in rows)
    stages["metrics"] = {"in": len(rows), "out": measured, "not measurable": len(rows) - measured}
    judged = [row for row in rows if row["stage"] == "judge"]
    by_forest = len(judged) + sum(row["verdict"] == KEEP and row["stage"] == "forest" for row in rows)
    stages["forest"] = {"in": measured, "out": by_forest, "dropped": measured - by_forest}
    if judged:
        best = sum(row["verdict"] == HQ for row in judged)
        failed = sum(row["judge_error"] is not None for row in judged)
        stages["judge"] = {"in": by_forest, "out": best, "unrealistic": len(judged) - best - failed, "no usable answer": failed,
                           "not asked": by_forest - len(judged)}
    return stages
