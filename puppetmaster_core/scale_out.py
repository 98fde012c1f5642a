"""Ray, the way past one machine: jobs in isolated processes all over a cluster, with the signature of `run_isolated`.

A host of the cluster keeps one isolated process for all of its jobs, because starting one (Python, NumPy, Numba) takes as long
as measuring several assets. It is given a few jobs at a time, and the next few before it asks for them. A cluster that is made
for the jobs takes seconds to start: meanwhile this machine's own processes do the first of them.

This file imports neither Ray nor NumPy: each host is a process more, and what it needs not it shall not load.
"""

from __future__ import annotations

import os
import pickle
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from types import ModuleType

from puppetmaster_core.isolation import Outcome, run_isolated

JOBS = 8  # given to a host at once: few, so that all hosts end together
AHEAD = 2  # such bundles a host has at a time
RETRIES = 3  # of a bundle whose host is lost


@contextmanager
def ray_cluster(workers: int | None = None, address: str | None = None) -> Iterator[ModuleType]:
    """Ray, joined to the cluster of `address` or of $RAY_ADDRESS; without one, to its own here with `workers` processors.

    Raises ConnectionError, in one line, where it cannot start or join.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
    import ray

    there = _joined(address)
    own = {"address": there} if there else {"num_cpus": workers, "include_dashboard": False}
    try:
        ray.init(ignore_reinit_error=True, log_to_driver=False, logging_level="error", **own)
    except Exception as error:  # Ray raises plain exceptions, of many lines
        ray.shutdown()
        what = f"join the cluster at {there}" if there else "start on this machine (is it busy?)"
        raise ConnectionError(f"Ray cannot {what}: {' '.join(str(error).split())[:200]}; or leave --engine ray out") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _joined(address: str | None) -> str | None:
    return address or os.environ.get("RAY_ADDRESS")


# ---- on a host -------------------------------------------------------------------------------------------------------------


@dataclass
class Packed:
    """A function that is unpacked where it is called, in the isolated process: its modules are not loaded on the way there."""

    data: bytes

    def __call__(self, job):
        if not hasattr(self, "_function"):
            self._function = pickle.loads(self.data)  # our own, between our own processes
        return self._function(job)


class Host:
    """One isolated process on a machine of the cluster. It lives until the host does; a job that fails replaces it."""

    def __init__(self, function: Callable, time_limit: float | None = None, memory_gb: float | None = None):
        self._waiting: deque = deque()
        self._outcomes = run_isolated(function, self._jobs(), workers=1, time_limit=time_limit, memory_gb=memory_gb)

    def _jobs(self) -> Iterator:
        while self._waiting:  # asked for one by one, and only while `do` wants outcomes
            yield self._waiting.popleft()

    def do(self, jobs: list) -> list[Outcome]:
        """Outcomes of some jobs, in their order."""
        self._waiting.extend(jobs)
        return [next(self._outcomes) for _ in jobs]


class RayHost(Host):
    """The same within a worker of Ray's, whose main file imports all of Ray: no process that is started here shall do so too."""

    def __init__(self, *arguments):
        vars(sys.modules["__main__"]).pop("__file__", None)
        super().__init__(*arguments)


# ---- where the jobs come from ------------------------------------------------------------------------------------------------


def run_on_ray(function: Callable, jobs: Iterable, *, workers: int | None = None, time_limit: float | None = None,
               memory_gb: float | None = None, address: str | None = None) -> Iterator[Outcome]:
    """Outcomes of function(job) as `run_isolated` gives them, from the machines of a Ray cluster.

    workers: isolated processes, a processor each; None = as many as the cluster has processors. address: HOST:PORT of a cluster
    to join (default: $RAY_ADDRESS, or one that is started here and ends with the jobs). A host that is lost is replaced, and
    its bundle done again. Raises ConnectionError where Ray cannot start or join.
    """
    jobs = deque(jobs)
    if not jobs:  # nothing to do is no reason to start a cluster
        return
    limits = {"time_limit": time_limit, "memory_gb": memory_gb}
    with _Cluster(workers, address, RayHost, Packed(pickle.dumps(function)), *limits.values()) as cluster:
        if not _joined(address):
            yield from run_isolated(function, _until(cluster.ready, jobs), workers=workers or os.cpu_count() or 1, **limits)
        if not jobs:  # done before it was there, or would have been
            return
        cluster.wait()
        bundles = iter(lambda: list(islice(_until(threading.Event(), jobs), JOBS)), [])
        yield from _deal(cluster.ray, cluster.hosts, bundles)


def _until(ready: threading.Event, jobs: deque) -> Iterator:
    """The jobs one by one, while they last and `ready` is not set."""
    while jobs and not ready.is_set():
        yield jobs.popleft()


class _Cluster:
    """A cluster with its hosts that starts, or is joined, in a thread of its own; `ready` once that is over."""

    def __init__(self, workers: int | None, address: str | None, host: type, *arguments):
        self.ready, self.ray, self.hosts, self._error = threading.Event(), None, [], None
        self._wanted = (workers, address, host, arguments)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)

    def __enter__(self) -> _Cluster:
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._end.set()
        self._thread.join()

    def wait(self) -> None:
        """Until it is there. Raises what its start raised."""
        self.ready.wait()
        if self._error:
            raise self._error

    def _live(self) -> None:
        workers, address, host, arguments = self._wanted
        try:
            with ray_cluster(workers, address) as ray:
                count = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
                remote = ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=RETRIES)(host)
                self.hosts = [remote.remote(*arguments) for _ in range(count)]
                if not _joined(address):
                    ray.get([one.do.remote([]) for one in self.hosts])  # until they are there
                self.ray = ray
                self.ready.set()
                self._end.wait()
        except Exception as error:
            self._error = error
        finally:
            self.ready.set()


def _deal(ray: ModuleType, hosts: list, bundles: Iterator[list]) -> Iterator[Outcome]:
    """Give every host AHEAD bundles, and another for each that it hands back."""
    at_work = {}
    for host in hosts * AHEAD:
        if bundle := next(bundles, None):
            at_work[host.do.remote(bundle)] = host
    while at_work:
        [ready], _ = ray.wait(list(at_work), num_returns=1)
        host = at_work.pop(ready)
        if bundle := next(bundles, None):
            at_work[host.do.remote(bundle)] = host
        yield from ray.get(ready)
