"""Tables of the grid, what is missing said; and the paper's orderings, settled by a paired bootstrap over clips and seeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from puppetmaster_core.ablations.arms import ARMS, TABLES, TITLES, AblationError
from puppetmaster_core.ablations.grid import COPY, SEEDS, read_run
from puppetmaster_core.ablations.judge import SCORES
from puppetmaster_core.evaluation import paper
from puppetmaster_core.evaluation.claims import WRONG_WAY
from puppetmaster_core.evaluation.tables import cell, markdown

RESAMPLES = 4000
ABOVE = 1e-9  # a gain whose interval ends at nothing is unresolved


@dataclass(frozen=True)
class Ordering:
    """That one arm beats another by some score."""

    id: str  # of its claim
    what: str
    better: str  # the arm that should win
    worse: str
    score: str
    place: str = ""
    paper: float | None = None  # by how much in the paper, in its direction


def _table_2(comparison: str, better: str, worse: str) -> tuple[Ordering, Ordering]:
    """One of the paper's comparisons, by PSNR and by motion error, each the way that the paper has it."""
    place, what, *_ = paper.COMPARISONS[comparison]
    saved, way = -paper.gained(comparison, "motion_error_origins"), "saved by"
    arms = (better, worse)
    if saved < 0:
        saved, way, arms = -saved, "added by", (worse, better)
    return (Ordering(comparison, f"PSNR gained by {what}", better, worse, "psnr", place, paper.gained(comparison)),
            Ordering(f"{comparison}.motion_error", f"motion error at the origins {way} {what}", *arms, "motion_error_origins",
                     place, saved))


ORDERINGS = (
    *_table_2("table2.shift_and_scale", "B", "A"),
    *_table_2("table2.end_location", "C", "B"),
    *_table_2("table2.drag_tokens", "D", "C"),
    *_table_2("table2.all_to_first", "first-pretrained", "none-pretrained"),
    *_table_2("table2.static_reference", "first-pretrained", "static-pretrained"),
    Ordering("table2.right_way", "dragged parts that go the right way, D more than A", "D", "A", "right", "Table 2"),
    *(Ordering(f"table2.over_chance.{arm.lower()}", f"dragged parts that go the right way, {arm} more than without drags", arm,
               "no-drags", "right") for arm in "ABCD"),
    Ordering("table2.from_nothing.all_to_first", "PSNR gained by all-to-first over none, from nothing", "first-nothing",
             "none-nothing", "psnr"),
    Ordering("table2.from_nothing.static_reference", "PSNR gained by all-to-first over a static reference video, from nothing",
             "first-nothing", "static-nothing", "psnr"),
    Ordering("table3.curation", "PSNR gained by curating the training data", "D", "bad-38", "psnr", "Table 3",
             paper.gained("table3.curation")),
    Ordering("table3.curation.right_way", "right way gained by curating the training data", "D", "bad-38", "right"),
    *(Ordering(f"mechanisms.{arm.replace('-', '_')}.{score}", f"{said} the mechanism of {ARMS[arm].label}", "D", arm, score)
      for arm in TABLES["mechanisms"][1:]
      for score, said in (("travel", "motion of the dragged part, more than by"),
                          ("off_place", "motion of what should stay, less than by"))),
)


def load_runs(results: Path) -> dict[str, dict[int, dict]]:
    """{arm: {seed: record}} of what is there, the static copy's under seed 0. Raises AblationError."""
    found: dict[str, dict[int, dict]] = {}
    for name in ARMS:
        for path in sorted(results.glob(f"{name}-[0-9].json")):
            found.setdefault(name, {})[int(path.stem.rpartition("-")[2])] = read_run(path)
    copy = results / f"{COPY}.json"
    if not found or not copy.is_file():
        raise AblationError(f"{results}: got no runs of the grid, expected some: puppetmaster reproduce --scale ablation makes "
                            "them")
    return {COPY: {0: read_run(copy)}, **found}


def values(runs: dict[int, dict], score: str, seeds: Sequence[int] | None = None) -> np.ndarray:
    """(seeds, clips) of one arm, NaN where a clip cannot tell."""
    return np.array([runs[seed]["scores"][score] for seed in (sorted(runs) if seeds is None else seeds)], float)


def interval_over_seeds(table: np.ndarray) -> dict | None:
    """The mean of (seeds, clips) with a 95 % interval: clips are drawn anew, and seeds where there are several."""
    there = np.isfinite(table)
    if not there.any():
        return None
    seeds, clips = _draws(*table.shape)
    total, count = (((seeds @ one) * clips).sum(1) for one in (np.where(there, table, 0.0), there.astype(float)))
    low, high = np.quantile(total[count > 0] / count[count > 0], [0.025, 0.975])
    return {"mean": float(np.nanmean(table)), "low": float(low), "high": float(high), "clips": table.shape[1]}


@lru_cache(maxsize=8)
def _draws(seeds: int, clips: int) -> tuple[np.ndarray, np.ndarray]:
    """How often each resample draws each seed (RESAMPLES, seeds) and each clip (RESAMPLES, clips)."""
    rng = np.random.default_rng(0)
    return tuple(rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(float) for n in (seeds, clips))


def summary(loaded: dict, table: str) -> dict[str, dict]:
    """A row for the static copy and for each arm of a table that has run."""
    found = {name: {score: interval_over_seeds(values(loaded[name], score)) for score in SCORES}
             for name in (COPY, *TABLES[table]) if name in loaded}
    rows = {COPY: {"label": "static copy", "seeds": [], **found.pop(COPY)}}
    for name, own in found.items():
        runs = list(loaded[name].values())
        rows[name] = {"label": ARMS[name].label, "seeds": sorted(loaded[name]), **own, "parameters": runs[0]["parameters"],
                      "seconds": round(sum(run["seconds"] for run in runs), 1)}
    return rows


def order(loaded: dict, one: Ordering) -> dict | None:
    """By how much the better arm beats the worse on the seeds that both have; None where there is none."""
    seeds = sorted(loaded.get(one.better, {}).keys() & loaded.get(one.worse, {}).keys())
    if not seeds:
        return None
    sign = 1 if SCORES[one.score].better == "higher" else -1
    better, worse = (values(loaded[arm], one.score, seeds) for arm in (one.better, one.worse))
    gain = interval_over_seeds(sign * (better - worse))
    if gain is None:
        return None
    verdict = "holds" if gain["low"] >= ABOVE else "does not" if gain["high"] < 0 else "unresolved"
    return {**gain, "seeds": seeds, "verdict": verdict}


def missing(loaded: dict, arms: Sequence[str]) -> str:
    """What a table lacks, in a line; "" for nothing."""
    none = [arm for arm in arms if arm not in loaded]
    some = [f"{arm}: seeds {len(loaded[arm])} of {len(SEEDS)}" for arm in arms if arm in loaded and len(loaded[arm]) < len(SEEDS)]
    words = [f"not run: {', '.join(none)}"] * bool(none) + some
    return f"incomplete ({'; '.join(words)})" if words else ""


def table_text(loaded: dict, table: str, columns: Iterable[str] = SCORES) -> str:
    """A table in Markdown, with its title and what is missing."""
    about = {name: SCORES[name] for name in columns}
    lines = [["", "seeds", *(one.heading for one in about.values())]]
    for row in summary(loaded, table).values():
        lines.append([row["label"], str(len(row["seeds"]) or "–"), *(cell(row[name], one.digits) for name, one in about.items())])
    return "\n\n".join(part for part in (TITLES[table], missing(loaded, TABLES[table]), markdown(lines)) if part)


def orderings_text(loaded: dict, whole: bool = True) -> str:
    """Every ordering with its verdict, in Markdown; whole=False: of those that have run."""
    lines = [["ordering", "paper", "ours", "seeds", "verdict"]]
    for one in ORDERINGS:
        gain, said = order(loaded, one), "–" if one.paper is None else f"{one.paper:+g}"
        if gain:
            lines.append([one.what, said, f"{gain['mean']:+.2f} [{gain['low']:+.2f}, {gain['high']:+.2f}]",
                          f"{len(gain['seeds'])} of {len(SEEDS)}", gain["verdict"]])
        elif whole:
            lines.append([one.what, said, "–", "0", "not run"])
    return markdown(lines, left=(0, 4))


def result(loaded: dict, command: str) -> dict:
    """What `results/ablations.json` holds: the tables' numbers, the orderings, and the claims that the ledger takes from them."""
    settled = {one.id: order(loaded, one) for one in ORDERINGS}
    runs = [run for name in ARMS for run in loaded.get(name, {}).values()]
    claims = [_claim(one, settled[one.id]) for one in ORDERINGS if settled[one.id]]
    tables = {name: summary(loaded, name) for name in TABLES}
    if tables["drags"].get("D"):
        claims.append(WRONG_WAY | {"scale": "ablation", "at": "tables/drags/D/wrong",
                                   "note": "the paper counts by hand; ours, by what parts look like"})
    return {"kind": "ablations", "command": command, "commit": runs[0]["commit"], "device": runs[0]["device"],
            "seconds": round(sum(run["seconds"] for run in runs), 1), "seeds": sorted({run["seed"] for run in runs}),
            "tables": tables, "orderings": {name: gain for name, gain in settled.items() if gain}, "claims": claims}


def _claim(one: Ordering, gain: dict) -> dict:
    about = SCORES[one.score]
    lacks = "" if len(gain["seeds"]) == len(SEEDS) else f"seeds {len(gain['seeds'])} of {len(SEEDS)}"
    return {"id": one.id, "what": one.what, "unit": about.unit, "digits": about.digits, "place": one.place, "bar": ABOVE,
            "scale": "ablation", "at": f"orderings/{one.id}", "note": lacks} | ({} if one.paper is None else {"paper": one.paper})
