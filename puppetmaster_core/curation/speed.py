"""How fast a run measures assets on this machine, by its own processes and by Ray's, side by side in one run."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from puppetmaster_core.clips.sources import Source
from puppetmaster_core.curation.measuring import CurationPlan, measure_assets
from puppetmaster_core.curation.tables import lasting

ENGINES = ("local", "ray")
LIMITS = {"time_limit": 120.0, "memory_gb": 16.0}  # as the command's


@dataclass(frozen=True)
class EngineTime:
    """One engine over all assets."""

    engine: str
    assets: int
    workers: int
    seconds: float  # of the clock, starting and ending the engine included
    first: float  # seconds of these until the first asset was done; of Ray's, the first part
    cpu_seconds: float  # of the isolated processes, for the assets alone
    memory_mb: float  # the most one of these ever held
    memory_early_mb: float  # the same, over the first tenth of the assets

    @property
    def rate(self) -> float:
        return self.assets / self.seconds


def compare_engines(source: Source, workers: int = 2, engines: Iterable[str] = ENGINES, part: int = 50) -> Iterator[EngineTime]:
    """Measure the same assets with each engine, the one after the other, in folders that go away again.

    Raises RuntimeError where two engines give different tables.
    """
    known = None
    with tempfile.TemporaryDirectory() as scratch:
        for number, engine in enumerate(engines):
            folder, stamps, done = Path(scratch, str(number)), [time.perf_counter()], []
            for outcome in measure_assets(folder, CurationPlan(source, part), engine=engine, workers=workers, **LIMITS):
                stamps.append(time.perf_counter())
                done.append(outcome)
            seconds, memory = time.perf_counter() - stamps[0], [outcome.memory_mb for outcome in done]
            yield EngineTime(engine, len(done), workers, seconds, stamps[1] - stamps[0], sum(one.cpu_seconds for one in done),
                             max(memory), max(memory[: max(1, len(memory) // 10)]))
            tables = [lasting(path) for path in sorted(folder.glob("index/*.parquet"))]
            if known is not None and tables != known:
                raise RuntimeError(f"{engine} gave other tables than {ENGINES[0]}: this is a defect, please report it")
            known = tables


def as_text(times: list[EngineTime]) -> str:
    """A line an engine, and what the second costs over the first."""
    lines = [f"{t.engine:6}{t.assets:6} assets, {t.workers} processes {t.seconds:8.1f} s  {t.rate:6.2f} assets/s  first after "
             f"{t.first:5.1f} s  {t.cpu_seconds / t.assets:.3f} CPU s an asset  at most {t.memory_mb:.0f} MB a process "
             f"({t.memory_early_mb:.0f} over the first tenth)" for t in times]
    if len(times) == 2:
        more = times[1].seconds / times[0].seconds - 1
        lines.append(f"{times[1].engine} over {times[0].engine}: {more:+.1%} of the time; the tables are the same")
    return "\n".join(lines)
