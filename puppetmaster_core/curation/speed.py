"""How fast a run measures assets on this machine, by its own processes and by Ray's, side by side in one run."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from puppetmaster_core.clips.plan import settle
from puppetmaster_core.clips.sources import Source
from puppetmaster_core.curation.measure import CurationPlan
from puppetmaster_core.curation.run import Share, measure
from puppetmaster_core.curation.tables import lasting

ENGINES = ("local", "ray")


@dataclass(frozen=True)
class EngineTime:
    """One engine over all assets."""

    engine: str
    assets: int
    workers: int
    seconds: float  # of the clock, starting and ending the engine included
    first: float  # seconds of these until the first asset was done
    cpu_seconds: float  # of the isolated processes, for the assets alone
    memory_mb: float  # the most one of these ever held
    memory_early_mb: float  # the same, over the first tenth of the assets

    @property
    def rate(self) -> float:
        return self.assets / self.seconds


def compare_engines(source: Source, workers: int = 2, engines: Iterable[str] = ENGINES) -> Iterator[EngineTime]:
    """Measure the same assets with each engine, the one after the other, in folders that go away again.

    Raises RuntimeError where two engines give different tables.
    """
    known = None
    with tempfile.TemporaryDirectory() as scratch:
        for number, engine in enumerate(engines):
            folder, plan = Path(scratch, f"{number}-{engine}"), CurationPlan(source)
            settle(folder, plan)
            yield _timed(folder, plan, Share(engine=engine, workers=workers, ray_address=None))
            tables = [lasting(path) for path in sorted(folder.glob("index/*.parquet"))]
            if known is not None and tables != known:
                raise RuntimeError(f"{engine} gave other tables than {ENGINES[0]}: this is a defect, please report it")
            known = tables


def _timed(folder: Path, plan: CurationPlan, share: Share) -> EngineTime:
    seen, began, first = [], time.perf_counter(), 0.0

    def watched(stream, total):
        nonlocal first
        for one in stream:
            first = first or time.perf_counter() - began
            seen.append(one)
            yield one

    measure(folder, plan, share, progress=watched)
    seconds = time.perf_counter() - began
    memory = [one.memory_mb for one in seen]
    return EngineTime(share.engine, len(seen), share.workers, seconds, first, sum(one.cpu_seconds for one in seen), max(memory),
                      max(memory[: max(1, len(memory) // 10)]))


def as_text(times: list[EngineTime]) -> str:
    """A line an engine, and what the second costs over the first."""
    lines = [f"{t.engine:6}{t.assets:6} assets, {t.workers} processes {t.seconds:8.1f} s  {t.rate:6.2f} assets/s  first after "
             f"{t.first:5.1f} s  {t.cpu_seconds / t.assets:.3f} CPU s an asset  at most {t.memory_mb:.0f} MB a process "
             f"({t.memory_early_mb:.0f} over the first tenth)" for t in times]
    if len(times) == 2:
        more = times[1].seconds / times[0].seconds - 1
        lines.append(f"{times[1].engine} over {times[0].engine}: {more:+.1%} of the time; the tables are the same")
    return "\n".join(lines)
