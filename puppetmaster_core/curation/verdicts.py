"""From metrics to verdicts: the forest's stage, the judge's answers joined, and the funnel from all animations to HQ."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from puppetmaster_core.clips.mixture import group_of
from puppetmaster_core.curation.forest import Forest
from puppetmaster_core.curation.metrics import METRICS
from puppetmaster_core.curation.prefilter import Categories, uid_of
from puppetmaster_core.curation.production import tables_of
from puppetmaster_core.curation.tables import read_rows

KEEP, DROP, HQ, FAILED = "animation", "dropped", "HQ", "failed"  # what becomes of an animation


def animation_id(row: Mapping) -> str:
    """What an animation is called: its asset's name and its index there."""
    return f"{row['asset']}#{row['animation']}"


def judge_by_forest(folder: Path, parts: list[int], forest: Forest, categories: Categories | None = None,
                    tools: Mapping | None = None) -> list[dict]:
    """Rows of the finished parts' animations with what the forest says of each, and what is known of its asset."""
    paths = [tables_of(folder, part) for part in parts]
    rows, assets = read_rows(*(a for a, _ in paths)), {row["number"]: row for row in read_rows(*(b for _, b in paths))}
    measured = [i for i, row in enumerate(rows) if row["error"] is None]
    metrics = np.array([[rows[i][name] for name in METRICS] for i in measured], float).reshape(-1, len(METRICS))
    probability = forest.probability(metrics) if len(measured) else []
    reasons = forest.why_all(metrics) if len(measured) else []
    said = {i: (float(p), reason) for i, p, reason in zip(measured, probability, reasons, strict=True)}
    known, text = categories or Categories(), json.dumps(tools or {}, ensure_ascii=False)
    for i, row in enumerate(rows):
        asset = assets[row["number"]]
        category = known.of(row["asset"]) or asset["category"]
        row |= {"sha256": asset["sha256"], "licence": asset["licence"], "category": category,
                "group": group_of(category, {"source": asset["source"]}), "probability": None, "realistic": None,
                "judge_reason": None, "judge_error": None, "stage": "metrics", "tools": text}
        if i in said:
            row["probability"], reason = said[i]
            keep = row["probability"] >= forest.threshold
            row |= {"verdict": KEEP if keep else DROP, "stage": "forest", "reason": reason}
        else:
            row |= {"verdict": FAILED, "reason": row["error"]}
    return rows


def join_answers(rows: list[dict], answers: Mapping[str, Mapping]) -> None:
    """Put the judge's answers, by animation_id, into the rows the forest kept: realistic → HQ, unrealistic → dropped.

    An animation whose answer failed stays where the forest put it, and says why.
    """
    for row in rows:
        answer = answers.get(animation_id(row))
        if answer is None or row["verdict"] != KEEP:
            continue
        row |= {"stage": "judge", "judge_error": answer.get("error")}
        if not answer.get("error"):
            row |= {"realistic": answer["realistic"], "judge_reason": answer["reason"], "reason": answer["reason"],
                    "verdict": HQ if answer["realistic"] else DROP}


def subsets(rows: list[dict]) -> dict[str, list[str]]:
    """Ids of the assets with an animation in each subset, as the paper's published lists have them; HQ only where judged."""
    ids = {"animation": sorted({uid_of(r["asset"]) for r in rows if r["verdict"] in (KEEP, HQ) or r["stage"] == "judge"})}
    if any(row["stage"] == "judge" for row in rows):
        ids["animation-HQ"] = sorted({uid_of(row["asset"]) for row in rows if row["verdict"] == HQ})
    return ids


def funnel(assets: list[dict], rows: list[dict]) -> dict[str, dict[str, int]]:
    """How many there are at each stage, and what was lost there and why: {stage: {"in": …, "out": …, lost by reason: …}}."""
    left_out = sum(row["left_out"] is not None for row in assets)
    broken = sum(row["error"] is not None for row in assets)
    still = sum(row["animations"] == 0 for row in assets)
    good = len(assets) - left_out - broken - still
    stages = {"assets": {"in": len(assets), "out": good, "Poor-quality": left_out, "failed": broken, "no animation": still}}
    measured = sum(row["verdict"] != FAILED for row in rows)
    stages["metrics"] = {"in": len(rows), "out": measured, "not measurable": len(rows) - measured}
    kept = sum(row["verdict"] in (KEEP, HQ) or row["stage"] == "judge" for row in rows)
    stages["forest"] = {"in": measured, "out": kept, "dropped": measured - kept}
    judged = [row for row in rows if row["stage"] == "judge"]
    if judged:
        best = sum(row["verdict"] == HQ for row in judged)
        failed = sum(row["judge_error"] is not None for row in judged)
        stages["judge"] = {"in": kept, "out": best, "unrealistic": len(judged) - best - failed, "no usable answer": failed,
                           "not asked": kept - len(judged)}
    return stages
