"""Shards of work on local processes or Ray: done or not, never half.

A long job is cut into shards of items. The items of a shard are done side by side, each in a process with limits (isolation.py);
what fails costs itself, with its reason on record. Then the shard's files are written, each by atomic rename, and the last of
them says that the shard is done. A kill costs the shard in hand: the same call does that one again and goes on. A folder belongs
to one plan, and to one process at a time.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Protocol

from puppetmaster_core.files import one_line, write_json
from puppetmaster_core.isolation import Outcome, Workers

WORKERS = 2  # processes on one machine, where nothing else is asked for


class JobError(ValueError):
    """A folder that this job cannot go on in. The message is one line."""


class Job(Protocol):
    """What is done with an item, and what is written of a shard. Picklable, as it is handed to other processes."""

    def items(self, shard: int) -> Sequence:
        """The items of a shard: plain values."""

    def do(self, item):
        """The record of one item. Runs in a worker; what it raises is the item's failure."""

    def failed(self, outcome: Outcome):
        """The record of an item that raised, took too long or ended its process."""

    def files(self, shard: int) -> Sequence[Path]:
        """A shard's files, in the order in which `write` writes them. The shard is done where all are there."""

    def write(self, shard: int, records: list) -> None:
        """Write the files of a shard, from the records of its items in their order."""


def is_done(job: Job, shard: int) -> bool:
    return all(path.is_file() for path in job.files(shard))


def parts(count: int, size: int) -> list[range]:
    """`count` items in shards of `size`."""
    return [range(start, min(count, start + size)) for start in range(0, count, size)]


# ---- the folder ----------------------------------------------------------------------------------------------------------


def settle(folder: Path, plan: Mapping) -> None:
    """Make `folder` the plan's, or see that it is. Raises JobError where another plan, or anything else, is there."""
    path = folder / "plan.json"
    if path.is_file():
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            raise JobError(f"{path}: cannot be read, expected the plan of a run: choose another folder") from None
        if found := difference(known, json.loads(json.dumps(plan))):
            name, *both = found
            was, now = (f"{len(value)} names" if isinstance(value, list) else repr(value) for value in both)
            said = f"was made from other files under {name}" if now == was else f"got {name} {now}, was made with {was}"
            raise JobError(f"{folder}: {said}: choose another folder")
        return
    if folder.is_dir() and any(folder.iterdir()):
        raise JobError(f"{folder}: something else is there, expected a new folder or one that this command made: choose another")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, plan)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the file `path` of a folder while this process works there, against others. Raises JobError."""
    with open(path, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # which goes with its process
        except BlockingIOError:
            raise JobError(f"{path}: another run is at work here: wait for it, or choose another folder") from None
        yield


def difference(was, now, name: str = "plan") -> tuple | None:
    """The first thing in which two plans, as JSON has them, differ: its name, and what it was and is. None: they are equal."""
    if isinstance(was, dict) and isinstance(now, dict):
        for key in {**was, **now}:
            if was.get(key) != now.get(key):
                return difference(was.get(key), now.get(key), key)
    return None if was == now else (name, was, now)


# ---- the work ------------------------------------------------------------------------------------------------------------


def run_shards(job: Job, shards: Iterable[int], *, workers: int | None = None, engine: str = "local", **limits
               ) -> Iterator[Outcome]:
    """Do some shards, one after the other; the outcome of every item, as soon as it is done, with its record as result.

    workers: processes, 0 = in this one, without limits; None = WORKERS, all processors of a cluster that is joined. limits:
    `time_limit` and `memory_gb` of an item, see `Workers`. engine: "local", or "ray": a shard a processor, on a file system that
    all machines share, where $RAY_ADDRESS is HOST:PORT of their cluster. Raises ConnectionError where Ray cannot start or join.
    """
    if engine == "ray":
        yield from _run_on_ray(job, shards, workers, limits)
        return
    with Workers(job.do, WORKERS if workers is None else workers, **limits) as pool:
        for shard in shards:
            _clear(job, shard)
            records = {}
            for outcome in pool.map(job.items(shard)):
                done = replace(outcome, result=job.failed(outcome)) if outcome.error else outcome
                records[outcome.job] = done.result
                yield done
            job.files(shard)[-1].unlink(missing_ok=True)  # of a shard that is done again: no longer done
            job.write(shard, [records[item] for item in job.items(shard)])


def _clear(job: Job, shard: int) -> None:
    """Remove what a killed run left half written of a shard."""
    for path in job.files(shard):
        path.parent.mkdir(parents=True, exist_ok=True)
        for partial in path.parent.glob(f".{path.name}.*.partial"):
            partial.unlink(missing_ok=True)


def _run_on_ray(job: Job, shards: Iterable[int], workers: int | None, limits: dict) -> Iterator[Outcome]:
    shards = iter(shards)
    if (first := next(shards, None)) is None:  # nothing to do is no reason to start a cluster
        return
    with ray_cluster(workers) as ray:
        task = ray.remote(num_cpus=1)(_shard_on_a_host)
        at_work = [task.remote(job, first, limits)]
        count = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        while at_work:
            at_work += [task.remote(job, shard, limits) for shard in islice(shards, count - len(at_work))]
            [ready], at_work = ray.wait(at_work, num_returns=1)
            yield from ray.get(ready)


def _shard_on_a_host(job: Job, shard: int, limits: dict) -> list[Outcome]:
    """In a worker of Ray's, which starts a process of ours. Ray does the shard again where the machine is lost."""
    vars(sys.modules["__main__"]).pop("__file__", None)  # Ray's own program: our process shall not import it, and all of Ray
    return list(run_shards(job, [shard], workers=1, **limits))


@contextmanager
def ray_cluster(workers: int | None = None) -> Iterator[ModuleType]:
    """Ray, joined to the cluster of $RAY_ADDRESS; without one, to its own here with `workers` processors.

    Raises ConnectionError, in one line, where it cannot start or join.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
    import ray

    there = os.environ.get("RAY_ADDRESS")
    own = {"address": there} if there else {"num_cpus": workers or WORKERS, "include_dashboard": False}
    try:
        ray.init(ignore_reinit_error=True, log_to_driver=False, logging_level="error", **own)
    except Exception as error:  # Ray raises plain exceptions, of many lines
        ray.shutdown()
        what = f"join the cluster at {there}" if there else "start on this machine (is it busy?)"
        raise ConnectionError(f"Ray cannot {what}: {one_line(error, 200)}; or leave --engine ray out") from error
    try:
        yield ray
    finally:
        ray.shutdown()
