"""A run of curation, §4's stages in order: leave out what is known to be poor, measure what moves, let the forest decide, ask
the judge.

Machines may share a run, each a rank with its own share of the assets and of the questions; the last to end writes the tables.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

from tqdm import tqdm

from puppetmaster_core.curation.forest import Forest
from puppetmaster_core.curation.judging import Judging
from puppetmaster_core.curation.measuring import CurationJob, missing_parts
from puppetmaster_core.curation.verdicts import finish, forest_verdicts, kept
from puppetmaster_core.jobs import WORKERS, alone, run_shards, settle


@dataclass(frozen=True)
class Effort:
    """How a run is done, and by whom. No verdict depends on it."""

    rank: int = 0
    world_size: int = 1  # ranks
    workers: int | None = None  # processes; None: a few, or all of a cluster
    engine: str = "local"  # or "ray"
    time_limit: float = 120.0  # seconds an animation
    memory: float = 16.0  # GiB of address space a process
    retry: bool = False  # parts with failed assets again, and failed questions
    budget: float | None = None  # dollars for the judge, all runs in this folder together

    @property
    def limits(self) -> dict:
        return {"time_limit": self.time_limit, "memory_gb": self.memory}


def curate(job: CurationJob, forest: Forest, judging: Judging | None = None, effort: Effort = Effort()) -> dict | None:
    """Curate the assets of a job into its folder: the report, or None while other ranks are at work.

    Called again after a kill it goes on: at most one part is measured twice, and no answer is bought twice. Raises JobError where
    the folder holds another run or this rank is at work already, JudgeError, and BudgetSpent.
    """
    settle(job.folder, job.plan.to_dict())
    own = job.folder / "ranks" / f"{effort.rank}-of-{effort.world_size}"
    own.parent.mkdir(exist_ok=True)
    own.touch()
    with alone(own):
        costs = _measure(job, effort)
        if judging:
            _ask(job, forest, judging, effort)
        report = finish(job, forest, judging and (lambda row: judging.answer(judging.strip(row))))
    return report and report | {"costs": costs} | ({"judge": judging.bill()} if judging else {})


def _measure(job: CurationJob, effort: Effort) -> dict:
    """Measure what is missing of this rank's share; what it cost."""
    began, now, memory = time.perf_counter(), 0, 0.0
    parts = missing_parts(job, effort.rank, effort.world_size, effort.retry)
    outcomes = run_shards(job, parts, workers=effort.workers, engine=effort.engine, **effort.limits)
    for outcome in tqdm(outcomes, total=sum(len(job.items(part)) for part in parts), desc="assets", file=sys.stderr):
        row = outcome.result["asset"]
        if row["error"]:
            tqdm.write(f"{row['asset']}: {row['error']}", file=sys.stderr)
        now, memory = now + (row["left_out"] is None), max(memory, outcome.memory_mb)
    seconds = time.perf_counter() - began
    return {"assets measured now": now, "seconds": round(seconds, 2), "assets/s": round(now / seconds, 2),
            "engine": effort.engine, "most memory of a worker, MB": round(memory, 1)}


def _ask(job: CurationJob, forest: Forest, judging: Judging, effort: Effort) -> None:
    """Ask about what the forest kept of this rank's share."""
    own = range(effort.rank, len(job.plan.parts), effort.world_size)
    rows = kept(forest_verdicts(job, own, forest))
    for name, error in judging.draw(rows, job.plan.source, job.plan.picture_size, workers=effort.workers or WORKERS,
                                    **effort.limits):
        print(f"{name}: not drawn: {error}", file=sys.stderr)
    judging.ask(tqdm([judging.strip(row) for row in rows], desc="judging", file=sys.stderr), effort.budget, effort.retry)
