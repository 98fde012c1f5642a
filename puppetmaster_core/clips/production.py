"""From many assets to shards, with nothing lost or done twice when the run is killed and started again.

A run folder holds the plan (plan.json: source, settings), finished shards with their index (see shards), what failed in them
(failures/), and under work/ the clips of single assets until their shard is complete:

    work/000042.tar    asset 42's clips, tar blocks without an end
    work/000042.json   its rows of the index, or why it failed; written after the clips, so it says that they are whole

What a shard holds follows from the plan, never from which process finished first: a killed run ends in the same bytes.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tqdm import tqdm

from puppetmaster_core.clips.plan import Plan
from puppetmaster_core.clips.records import to_members, to_tar
from puppetmaster_core.clips.shards import damage_of, index_path, shard_name, write_shard
from puppetmaster_core.clips.studio import DAY, film
from puppetmaster_core.files import whole_file, write_json
from puppetmaster_core.isolation import Outcome, run_isolated, still_going
from puppetmaster_core.scale_out import ray_cluster

# ---- one asset -----------------------------------------------------------------------------------------------------------


def film_asset(folder: str, plan: Plan, number: int, time_limit: float | None = None) -> dict:
    """Film asset `number` into work/; what its .json holds. Runs in a worker. Raises what reading and filming raise."""
    name, work = plan.source.name(number), Path(folder, "work")
    rows, skipped = [], []
    with whole_file(_piece(work, number, "tar")) as partial_file, open(partial_file, "wb") as tar:
        for shot in film(plan.source.open(number), number, name, plan.filming, time_limit or DAY):
            still_going()
            if shot.clip is None:
                skipped.append({"asset": name, "clip": shot.key, "cause": shot.reason, "detail": shot.detail})
                continue
            data = to_tar(shot.key, to_members(shot.clip))
            rows.append({**shot.row, "offset": tar.tell(), "length": len(data)})
            tar.write(data)
    record = {"rows": rows, "failures": skipped}
    _note(work, number, record)
    return record


def _note(work: Path, number: int, record: dict) -> None:
    with whole_file(_piece(work, number, "json")) as file:
        file.write_text(json.dumps(record, ensure_ascii=False), encoding="utf-8")


def _piece(work: Path, number: int, ending: str) -> Path:
    return work / f"{number:06d}.{ending}"


def _read(path: Path):
    """What a .json holds; None where it is not there or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _known(work: Path, number: int) -> dict | None:
    """The record of an asset that is done; None where it is not, or its pieces are damaged."""
    record = _read(_piece(work, number, "json"))
    if record and record["rows"]:
        end, tar = record["rows"][-1]["offset"] + record["rows"][-1]["length"], _piece(work, number, "tar")
        return record if tar.is_file() and tar.stat().st_size >= end else None
    return record


def failed(plan: Plan, outcome: Outcome) -> dict:
    """The record of an asset that could not be filmed."""
    failure = {"asset": plan.source.name(outcome.job), "cause": outcome.error, "detail": outcome.detail}
    return {"rows": [], "failures": [failure]}


# ---- one shard -----------------------------------------------------------------------------------------------------------


def finish_shard(folder: Path, plan: Plan, shard: int) -> int:
    """Join the assets' clips of a shard whose assets are all done; how many clips. Their pieces go."""
    work, numbers, failures, pieces = folder / "work", plan.assets(shard), [], []
    for number in numbers:
        record = json.loads(_piece(work, number, "json").read_text(encoding="utf-8"))
        failures += record["failures"]
        if record["rows"]:
            pieces.append((_piece(work, number, "tar"), record["rows"]))
    if failures:
        (folder / "failures").mkdir(exist_ok=True)
        write_json(_failures(folder, shard), failures)
    else:
        _failures(folder, shard).unlink(missing_ok=True)
    clips = write_shard(folder, shard, pieces)
    clear_pieces(folder, plan, shard)
    return clips


def clear_pieces(folder: Path, plan: Plan, shard: int) -> None:
    for number in plan.assets(shard):
        for ending in ("json", "tar"):
            _piece(folder / "work", number, ending).unlink(missing_ok=True)


def _failures(folder: Path, shard: int) -> Path:
    return folder / "failures" / f"shard-{shard:06d}.json"


def read_failures(folder: Path) -> list[dict]:
    """What failed in the finished shards: asset, cause, detail."""
    return [failure for path in sorted((folder / "failures").glob("shard-*.json"))
            for failure in json.loads(path.read_text(encoding="utf-8"))]


# ---- a run ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Progress:
    """One asset done, of a run."""

    clips: int = 0  # it gave
    failures: tuple[dict, ...] = ()
    memory_mb: float = 0.0  # the most its worker ever held
    cpu_seconds: float = 0.0  # of its worker, for this asset


def open_shards(folder: Path, plan: Plan, retry: bool = False) -> list[int]:
    """The shards still to be made, after clearing what a killed run left; a damaged one is made again, and a line says why.

    retry: also those in which an asset failed.
    """
    for name in ("work", "index"):
        (folder / name).mkdir(exist_ok=True)
    for hidden in [*folder.glob(".*.partial"), *folder.glob("*/.*.partial")]:
        hidden.unlink()
    todo = []
    for shard in range(plan.shards):
        if _is_made(folder, shard) and not (retry and _failures(folder, shard).is_file()):
            clear_pieces(folder, plan, shard)
        else:
            todo.append(shard)
    if retry:  # of unfinished shards too
        for path in (folder / "work").glob("*.json"):
            if (_read(path) or {}).get("failures"):
                path.unlink()
    return todo


def _is_made(folder: Path, shard: int) -> bool:
    """Whether a shard is there and whole, as is what failed in it."""
    if not (index_path(folder, shard).is_file() and (folder / shard_name(shard)).is_file()):
        return False
    wrong, failures = damage_of(folder, shard), _failures(folder, shard)
    if failures.is_file() and _read(failures) is None:
        wrong = f"{failures}: cannot be read, wanted what failed"
    if wrong:
        tqdm.write(f"shard {shard} is made again, as {wrong}", file=sys.stderr)
    return not wrong


def make_shards(folder: Path, plan: Plan, shards: list[int], *, workers: int = 2, time_limit: float | None = None,
                memory_gb: float | None = None) -> Iterator[Progress]:
    """Make some shards with local processes; a Progress for every asset, those that were done before included."""
    folder = Path(folder)
    left = {shard: len(plan.assets(shard)) for shard in shards}

    def done(number: int, progress: Progress) -> Progress:
        shard = number // plan.assets_a_shard
        left[shard] -= 1
        if not left[shard]:
            finish_shard(folder, plan, shard)
        return progress

    numbers = [number for shard in shards for number in plan.assets(shard)]
    kept = [number for number in numbers if _known(folder / "work", number) is not None]
    for number in kept:
        record = json.loads(_piece(folder / "work", number, "json").read_text(encoding="utf-8"))
        yield done(number, Progress(len(record["rows"]), tuple(record["failures"])))
    known = set(kept)
    jobs = (number for number in numbers if number not in known)
    for outcome in run_isolated(partial(film_asset, str(folder), plan, time_limit=time_limit), jobs, workers=workers,
                                time_limit=time_limit, memory_gb=memory_gb):
        record = outcome.result
        if outcome.error:
            record = failed(plan, outcome)
            _note(folder / "work", outcome.job, record)
        progress = Progress(len(record["rows"]), tuple(record["failures"]), outcome.memory_mb, outcome.cpu_seconds)
        yield done(outcome.job, progress)


def make_shards_ray(folder: Path, plan: Plan, shards: list[int], *, workers: int | None = None, **limits) -> Iterator[Progress]:
    """The same over a Ray cluster, a task a shard; the folder is on a file system that all its machines share."""

    def task(shard: int) -> list[Progress]:
        return [_brief(progress) for progress in make_shards(folder, plan, [shard], workers=1, **limits)]

    return over_ray(task, shards, workers=workers)


def over_ray(task: Callable[[object], list], items: list, *, workers: int | None = None, address: str | None = None) -> Iterator:
    """What task(item) lists, for all items, as a Ray cluster gets them done.

    Ray has no time limit for a task, so one that needs it works in a process of its own, by `run_isolated`.
    """
    with ray_cluster(workers, address) as ray:
        remote = ray.remote(num_cpus=1)(task)
        waiting = [remote.remote(item) for item in items]
        while waiting:
            ready, waiting = ray.wait(waiting)
            for result in ready:
                yield from ray.get(result)


def _brief(progress: Progress) -> Progress:
    """Without tracebacks: those stay in the folder."""
    return replace(progress, failures=tuple({**failure, "detail": ""} for failure in progress.failures))


def clear_work(folder: Path) -> None:
    """Remove work/ after a run that is complete."""
    shutil.rmtree(folder / "work", ignore_errors=True)
