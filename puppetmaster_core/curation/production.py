"""From many assets to tables of metrics, with nothing lost or done twice when the run is killed and started again.

A run folder holds the plan (plan.json), and under index/ two tables for each finished part of so many assets:

    index/animations-000003.parquet   the metrics of their animations
    index/assets-000003.parquet       the assets; written last, so it says that the part is whole
    work/000003/000742.json           asset 742, until its part is whole

Parts are shared out among machines by rank (part p is rank p mod W's), their assets by Ray. Processes, time and memory limits
are those of isolation.py, the plan's folder and its lock those of clips/plan.py.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from puppetmaster_core.curation.measure import CurationPlan, measure_asset, unread
from puppetmaster_core.curation.prefilter import POOR, Categories
from puppetmaster_core.curation.tables import ASSETS, MEASURED, write_table
from puppetmaster_core.files import whole_file
from puppetmaster_core.isolation import Outcome, run_isolated


@dataclass(frozen=True)
class Progress:
    """One asset done."""

    asset: str
    animations: int = 0
    error: str | None = None
    memory_mb: float = 0.0  # the most its worker ever held
    cpu_seconds: float = 0.0  # of its worker, for this asset; 0 where an earlier run did it


def tables_of(folder: Path, part: int) -> tuple[Path, Path]:
    """A part's tables: animations, assets."""
    return folder / "index" / f"animations-{part:06d}.parquet", folder / "index" / f"assets-{part:06d}.parquet"


def is_done(folder: Path, part: int) -> bool:
    return all(path.is_file() for path in tables_of(folder, part))


def open_parts(folder: Path, plan: CurationPlan, rank: int = 0, world: int = 1, retry: bool = False) -> list[int]:
    """The parts of this rank still to be made. retry: also those in which an asset failed, to try these assets again."""
    if not 0 <= rank < world:
        raise ValueError(f"got rank {rank} of {world}, expected 0 to {world - 1}")
    own = range(rank, plan.parts, world)
    if retry:
        for part in own:
            _reopen(folder, part)
    return [part for part in own if not is_done(folder, part)]


def _reopen(folder: Path, part: int) -> None:
    """Forget the failures of a part; what was measured becomes pieces again."""
    from puppetmaster_core.curation.tables import read_rows

    animations, assets = tables_of(folder, part)
    if is_done(folder, part):
        rows = read_rows(assets)
        if not any(row["error"] for row in rows):
            return
        moves: dict[str, list[dict]] = {}
        for row in read_rows(animations):
            moves.setdefault(row["asset"], []).append(row)
        for row in rows:
            if not row["error"]:
                _note(_piece(folder, part, row["number"]), {"asset": row, "animations": moves.get(row["asset"], [])})
        assets.unlink()
    for path in (folder / "work" / f"{part:06d}").glob("*.json"):
        if json.loads(path.read_text(encoding="utf-8"))["asset"]["error"]:
            path.unlink()


def measure_parts(folder: Path, plan: CurationPlan, parts: list[int], *, categories: Categories | None = None, workers: int = 2,
                  time_limit: float | None = None, memory_gb: float | None = None,
                  run: Callable[..., Iterator[Outcome]] | None = None) -> Iterator[Progress]:
    """Measure some parts; a Progress for every asset, those that were done before included.

    run: what does jobs in isolated processes: `run_isolated` here (None), `run_on_ray` on the machines of a cluster, which then
    share a file system with the folder and the assets.
    """
    folder, categories = Path(folder), categories or Categories()
    left = {part: len(plan.assets(part)) for part in parts}

    def done(number: int, record: dict, memory: float = 0.0, seconds: float = 0.0) -> Progress:
        part = number // plan.assets_a_part
        left[part] -= 1
        if not left[part]:
            _finish(folder, plan, part)
        row = record["asset"]
        return Progress(row["asset"], len(record["animations"]), row["error"], memory, seconds)

    todo = []
    for number in (n for part in parts for n in plan.assets(part)):
        piece = _piece(folder, number // plan.assets_a_part, number)
        if piece.is_file():
            yield done(number, json.loads(piece.read_text(encoding="utf-8")))
        elif categories.left_out(plan.source.name(number)):
            record = unread(plan.source, number, left_out=f"GObjaverse calls it {POOR}", category=POOR)
            _note(piece, record)
            yield done(number, record)
        else:
            todo.append(number)
    job = partial(_measure, str(folder), plan)
    for outcome in (run or run_isolated)(job, todo, workers=workers, time_limit=time_limit, memory_gb=memory_gb):
        record = outcome.result
        if outcome.error:
            record = unread(plan.source, outcome.job, error=outcome.error, stderr=outcome.detail)
            _note(_piece(folder, outcome.job // plan.assets_a_part, outcome.job), record)
        yield done(outcome.job, record, outcome.memory_mb, outcome.cpu_seconds)


def _measure(folder: str, plan: CurationPlan, number: int) -> dict:
    """In a worker: measure an asset and note it; one that is noted already, by a machine that was lost, is not done again."""
    piece = _piece(Path(folder), number // plan.assets_a_part, number)
    if piece.is_file():
        return json.loads(piece.read_text(encoding="utf-8"))
    record = measure_asset(plan.source, number)
    _note(piece, record)
    return record


def _piece(folder: Path, part: int, number: int) -> Path:
    return folder / "work" / f"{part:06d}" / f"{number:06d}.json"


def _note(piece: Path, record: dict) -> None:
    piece.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(piece) as file:
        file.write_text(json.dumps(record, ensure_ascii=False), encoding="utf-8")


def _finish(folder: Path, plan: CurationPlan, part: int) -> None:
    """Join the assets of a part whose assets are all done. Their pieces go."""
    records = [json.loads(_piece(folder, part, n).read_text(encoding="utf-8")) for n in plan.assets(part)]
    animations, assets = tables_of(folder, part)
    write_table(animations, (row for record in records for row in record["animations"]), MEASURED)
    write_table(assets, (record["asset"] for record in records), ASSETS)
    shutil.rmtree(folder / "work" / f"{part:06d}", ignore_errors=True)
