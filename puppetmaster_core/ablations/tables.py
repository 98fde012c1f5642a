"""Tables of the grid, what is missing said; and the paper's orderings, settled by a paired bootstrap over clips and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from puppetmaster_core.ablations.arms import ARMS, TABLES, TITLES, AblationError
from puppetmaster_core.ablations.grid import COPY, SEEDS, read
from puppetmaster_core.ablations.judge import SCORES
from puppetmaster_core.evaluation import paper

RESAMPLES = 4000
ABOVE = 1e-9  # a gain whose interval ends at nothing is unresolved
COLUMNS = ("right", "wrong", "travel", "end_point_error", "motion_error_origins", "motion_error_foreground", "off_place", "psnr",
           "psnr_moving", "ssim", "ssim_moving", "grey")


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


def _table_2(name: str, what: str, better: str, worse: str, rows: tuple[int, int]) -> tuple[Ordering, Ordering]:
    """By PSNR and by motion error; rows: of the better and the worse arm in the paper's table."""
    own, other = (list(paper.TABLE_2.values())[row] for row in rows)
    psnr, error = (paper.TABLE_2_COLUMNS.index(column) for column in ("psnr", "motion_error_origins"))
    return (Ordering(f"table2.{name}", f"PSNR gained by {what}", better, worse, "psnr", "Table 2",
                     round(own[psnr] - other[psnr], 4)),
            Ordering(f"table2.{name}.motion_error", f"motion error at the origins saved by {what}", better, worse,
                     "motion_error_origins", "Table 2", round(other[error] - own[error], 4)))


ORDERINGS = (
    *_table_2("shift_and_scale", "scale beside shift (A → B)", "B", "A", (1, 0)),
    *_table_2("end_location", "the end location (B → C)", "C", "B", (2, 1)),
    *_table_2("drag_tokens", "drag tokens (C → D)", "D", "C", (3, 2)),
    *_table_2("all_to_first", "all-to-first attention over none", "first-pretrained", "none-pretrained", (6, 4)),
    *_table_2("static_reference", "all-to-first over a static reference video", "first-pretrained", "static-pretrained", (6, 5)),
    Ordering("table2.right_way", "dragged parts that go the right way, D more than A", "D", "A", "right", "Table 2"),
    Ordering("table2.from_nothing.all_to_first", "PSNR gained by all-to-first over none, from nothing", "first-nothing",
             "none-nothing", "psnr"),
    Ordering("table2.from_nothing.static_reference", "PSNR gained by all-to-first over a static reference video, from nothing",
             "first-nothing", "static-nothing", "psnr"),
    Ordering("table3.curation", "PSNR gained by curating the training data", "D", "bad-38", "psnr", "Table 3",
             round(paper.TABLE_3["with curation"][0] - paper.TABLE_3["without curation"][0], 4)),
    Ordering("table3.curation.right_way", "right way gained by curating the training data", "D", "bad-38", "right"),
    *(Ordering(f"mechanisms.{arm.replace('-', '_')}.{score}", f"{said} the mechanism of {ARMS[arm].label}", "D", arm, score)
      for arm in TABLES["mechanisms"][1:]
      for score, said in (("travel", "motion of the dragged part, more than by"),
                          ("off_place", "motion of what should stay, less than by"))),
)


def load(results: Path) -> dict[str, dict[int, dict]]:
    """{arm: {seed: record}} of what is there, the static copy's under seed 0. Raises AblationError."""
    found: dict[str, dict[int, dict]] = {}
    for name in ARMS:
        for path in sorted(results.glob(f"{name}-[0-9].json")):
            found.setdefault(name, {})[int(path.stem.rpartition("-")[2])] = read(path)
    copy = results / f"{COPY}.json"
    if not found or not copy.is_file():
        raise AblationError(f"{results}: got no runs of the grid, expected some: puppetmaster reproduce --scale ablation makes "
                            "them")
    return {COPY: {0: read(copy)}, **found}


def values(runs: dict[int, dict], score: str, seeds: Sequence[int] | None = None) -> np.ndarray:
    """(seeds, clips) of one arm, NaN where a clip cannot tell."""
    return np.array([runs[seed]["scores"][score] for seed in (sorted(runs) if seeds is None else seeds)], float)


def interval(table: np.ndarray) -> dict | None:
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
    rows = {}
    for name in (COPY, *TABLES[table]):
        if name not in loaded:
            continue
        runs = loaded[name]
        rows[name] = {"label": ARMS[name].label if name in ARMS else "static copy", "seeds": sorted(runs) if name in ARMS else [],
                      **{score: interval(values(runs, score)) for score in SCORES}}
        if name in ARMS:
            first = next(iter(runs.values()))
            rows[name] |= {"parameters": first["parameters"], "seconds": round(sum(run["seconds"] for run in runs.values()), 1)}
    return rows


def order(loaded: dict, one: Ordering) -> dict | None:
    """By how much the better arm beats the worse on the seeds that both have; None where there is none."""
    seeds = sorted(loaded.get(one.better, {}).keys() & loaded.get(one.worse, {}).keys())
    if not seeds:
        return None
    sign = 1 if SCORES[one.score].better == "higher" else -1
    gain = interval(sign * (values(loaded[one.better], one.score, seeds) - values(loaded[one.worse], one.score, seeds)))
    return gain and {**gain, "seeds": seeds, "verdict": verdict(gain)}


def verdict(gain: dict) -> str:
    return "holds" if gain["low"] >= ABOVE else "does not" if gain["high"] < 0 else "unresolved"


def missing(loaded: dict, arms: Sequence[str], seeds: Sequence[int] = SEEDS) -> str:
    """What a table lacks, in a line; "" for nothing."""
    none = [arm for arm in arms if arm not in loaded]
    some = [f"{arm}: seeds {len(loaded[arm])} of {len(seeds)}" for arm in arms if arm in loaded and len(loaded[arm]) < len(seeds)]
    words = [f"not run: {', '.join(none)}"] * bool(none) + some
    return f"incomplete ({'; '.join(words)})" if words else ""


def text(loaded: dict, table: str, columns: Sequence[str] = COLUMNS) -> str:
    """A table in Markdown, with its title and what is missing."""
    lines = [["", "seeds", *(SCORES[name].heading for name in columns)], ["---", *["--:"] * (len(columns) + 1)]]
    for row in summary(loaded, table).values():
        seeds = str(len(row["seeds"])) if row["seeds"] else "–"
        lines.append([row["label"], seeds, *(_cell(row[name], name) for name in columns)])
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n\n".join(part for part in (TITLES[table], missing(loaded, TABLES[table]), body) if part)


def _cell(value: dict | None, name: str) -> str:
    digits = SCORES[name].digits
    return "–" if value is None else f"{value['mean']:.{digits}f} [{value['low']:.{digits}f}, {value['high']:.{digits}f}]"


def orderings_text(loaded: dict, whole: bool = True) -> str:
    """Every ordering with its verdict, in Markdown; whole=False: of those that have run."""
    lines = ["| ordering | paper | ours | seeds | verdict |", "|---|--:|--:|--:|---|"]
    for one in ORDERINGS:
        gain = order(loaded, one)
        said = "–" if one.paper is None else f"{one.paper:+g}"
        if gain is None:
            lines += [f"| {one.what} | {said} | – | 0 | not run |"] if whole else []
        else:
            lines.append(f"| {one.what} | {said} | {gain['mean']:+.2f} [{gain['low']:+.2f}, {gain['high']:+.2f}] "
                         f"| {len(gain['seeds'])} of {len(SEEDS)} | {gain['verdict']} |")
    return "\n".join(lines)


def result(loaded: dict, command: str) -> dict:
    """What `results/ablations.json` holds: the tables' numbers, the orderings, and the claims that the ledger takes from them."""
    settled = {one.id: order(loaded, one) for one in ORDERINGS}
    runs = [run for name in ARMS for run in loaded.get(name, {}).values()]
    claims = [_claim(one, settled[one.id]) for one in ORDERINGS if settled[one.id]]
    tables = {name: summary(loaded, name) for name in TABLES}
    if tables["drags"].get("D"):
        claims.append({"id": "table2.wrong_direction", "what": "drags that move the wrong way, row D", "unit": "%",
                       "better": "lower", "digits": 0, "place": "Table 2", "paper": 1, "scale": "ablation",
                       "at": "tables/drags/D/wrong", "note": "the paper counts by hand; ours, by what parts look like"})
    return {"kind": "ablations", "command": command, "commit": runs[0]["commit"], "device": runs[0]["device"],
            "seconds": round(sum(run["seconds"] for run in runs), 1), "seeds": sorted({run["seed"] for run in runs}),
            "tables": tables, "orderings": {name: gain for name, gain in settled.items() if gain}, "claims": claims}


def _claim(one: Ordering, gain: dict) -> dict:
    about = SCORES[one.score]
    lacks = "" if len(gain["seeds"]) == len(SEEDS) else f"seeds {len(gain['seeds'])} of {len(SEEDS)}"
    return {"id": one.id, "what": one.what, "unit": about.unit, "digits": about.digits, "place": one.place, "bar": ABOVE,
            "scale": "ablation", "at": f"orderings/{one.id}", "note": lacks} | ({} if one.paper is None else {"paper": one.paper})
