"""A curation run over a folder: what is missing is made, and the tables are written once all of it is there."""

from __future__ import annotations

import os
import platform
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from puppetmaster_core import __version__
from puppetmaster_core.curation.forest import Forest
from puppetmaster_core.curation.measure import CurationPlan
from puppetmaster_core.curation.prefilter import Categories
from puppetmaster_core.curation.production import is_done, measure_parts, open_parts, tables_of
from puppetmaster_core.curation.tables import ANIMATIONS, ASSETS, read_rows, write_table
from puppetmaster_core.curation.verdicts import KEEP, animation_id, funnel, join_answers, judge_by_forest, subsets
from puppetmaster_core.files import write_json

WORKERS = 2  # processes on one machine, where nothing else is asked for


@dataclass(frozen=True)
class Share:
    """Which parts of a run are this machine's, and how they are made."""

    rank: int = 0
    world: int = 1
    engine: str = "local"  # or "ray"
    ray_address: str | None = None
    workers: int | None = None  # processes; None = 2 on this machine, all processors of a cluster that has an address
    time_limit: float | None = 120.0  # seconds to read an asset, and again for each of its animations
    memory_gb: float | None = 16.0  # address space of a process
    retry: bool = False  # try failed assets again

    def runner(self) -> tuple[Callable | None, int | None]:
        """What does the jobs, and in how many processes."""
        if self.engine == "local":
            return None, self.workers or WORKERS
        from puppetmaster_core.scale_out import run_on_ray

        joined = self.ray_address or os.environ.get("RAY_ADDRESS")
        return partial(run_on_ray, address=self.ray_address), self.workers or (None if joined else WORKERS)


def measure(folder: Path, plan: CurationPlan, share: Share, categories: Categories | None = None,
            progress: Callable[[Iterable, int], Iterable] = lambda items, total: items) -> tuple[int, float]:
    """Make the parts of `share` that are missing; how many assets were measured now, and a worker's most memory in MB."""
    clean(folder, plan, share)
    parts = open_parts(folder, plan, share.rank, share.world, share.retry)
    if not parts:
        return 0, 0.0
    run, workers = share.runner()
    stream = measure_parts(folder, plan, parts, categories=categories, workers=workers, time_limit=share.time_limit,
                           memory_gb=share.memory_gb, run=run)
    now, most = 0, 0.0
    for one in progress(stream, sum(len(plan.assets(part)) for part in parts)):
        now += one.memory_mb > 0
        most = max(most, one.memory_mb)
    return now, most


def clean(folder: Path, plan: CurationPlan, share: Share) -> None:
    """Remove what a killed run of this share left half written, and pieces of parts that are whole."""
    for part in range(share.rank, plan.parts, share.world):
        work = folder / "work" / f"{part:06d}"
        for hidden in [*work.glob(".*.partial"), *folder.glob(f"index/.*-{part:06d}.parquet.*.partial")]:
            hidden.unlink(missing_ok=True)
        if is_done(folder, part):
            shutil.rmtree(work, ignore_errors=True)


def own_rows(folder: Path, plan: CurationPlan, share: Share, forest: Forest, categories: Categories | None) -> list[dict]:
    """This share's animations with the forest's verdicts."""
    return judge_by_forest(folder, list(range(share.rank, plan.parts, share.world)), forest, categories, tools())


def finish(folder: Path, plan: CurationPlan, forest: Forest, categories: Categories | None = None,
           answers: Callable[[dict], Mapping | None] | None = None) -> dict | None:
    """Write the run's tables, lists and funnel; the report, or None while parts or answers of other ranks are missing.

    answers: what the judge said of a row that the forest kept (None = nothing yet); None = nobody judges.
    """
    parts = list(range(plan.parts))
    if not all(is_done(folder, part) for part in parts):
        return None
    rows = judge_by_forest(folder, parts, forest, categories, tools())
    if answers is not None:
        said = {row_id: answers(row) for row_id, row in kept(rows).items()}
        if any(answer is None for answer in said.values()):
            return None
        join_answers(rows, said)
    assets = read_rows(*(tables_of(folder, part)[1] for part in parts))
    write_table(folder / "assets.parquet", assets, ASSETS)
    write_table(folder / "animations.parquet", rows, ANIMATIONS)
    for name, ids in subsets(rows).items():
        write_json(folder / f"{name}.json", ids)
    if not any((folder / "work").glob("*")):
        shutil.rmtree(folder / "work", ignore_errors=True)
    notes = Counter(sorted(kind for row in assets for kind in row.get("notes") or ()))
    return {"assets": len(assets), "animations": len(rows), "funnel": funnel(assets, rows),
            "assets with notes": dict(notes.most_common()),
            "failures": [{key: row[key] for key in ("asset", "error", "stderr")} for row in assets if row["error"]],
            "categories skipped": categories.skipped if categories else 0,
            "forest": {"threshold": forest.threshold, "labels": forest.about.get("labels"),
                       "figures, objects not seen": forest.about.get("figures, objects not seen")}}


def kept(rows: list[dict]) -> dict[str, dict]:
    """The rows that the forest kept, by animation_id."""
    return {animation_id(row): row for row in rows if row["verdict"] == KEEP}


def tools() -> dict[str, str]:
    """What made the tables, and in which version."""
    packages = ("numpy", "pyarrow", "scikit-learn", "skops")
    return {"puppetmaster_core": __version__, "python": platform.python_version(), **{name: version(name) for name in packages}}
