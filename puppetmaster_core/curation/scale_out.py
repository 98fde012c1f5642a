"""Ray, the way past one machine: jobs in isolated processes all over a cluster, with the signature of `run_isolated`.

A host of the cluster keeps one isolated process for all of its jobs, because starting one (Python, NumPy, Numba) takes as long
as measuring several assets. It is given a few jobs at a time, and the next few before it asks for them.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from puppetmaster_core.clips.production import ray_cluster
from puppetmaster_core.isolation import Outcome, run_isolated

JOBS = 8  # given to a host at once: few, so that all hosts end together
AHEAD = 2  # such bundles a host has at a time
RETRIES = 3  # of a bundle whose host is lost


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


def run_on_ray(function: Callable, jobs: Iterable, *, workers: int | None = None, time_limit: float | None = None,
               memory_gb: float | None = None, address: str | None = None) -> Iterator[Outcome]:
    """Outcomes of function(job) as `run_isolated` gives them, from the machines of a Ray cluster.

    workers: isolated processes, a processor each; None = as many as the cluster has processors. address: HOST:PORT of a cluster
    to join (default: $RAY_ADDRESS, or one that is started here and ends with the jobs). A host that is lost is replaced, and
    its bundle done again.
    """
    jobs = iter(jobs)
    bundles = iter(lambda: list(islice(jobs, JOBS)), [])
    first = next(bundles, None)
    if first is None:  # nothing to do is no reason to start a cluster
        return
    with ray_cluster(workers, address) as ray:
        count = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        remote = ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=RETRIES)(RayHost)
        hosts = [remote.remote(function, time_limit, memory_gb) for _ in range(count)]
        yield from _deal(ray, hosts, first, bundles)


def _deal(ray, hosts: list, first: list, bundles: Iterator[list]) -> Iterator[Outcome]:
    """Give every host AHEAD bundles, and another for each that it hands back."""
    at_work = {hosts[0].do.remote(first): hosts[0]}
    for host in [*hosts[1:], *hosts * (AHEAD - 1)]:
        if (bundle := next(bundles, None)) is not None:
            at_work[host.do.remote(bundle)] = host
    while at_work:
        [ready], _ = ray.wait(list(at_work), num_returns=1)
        host = at_work.pop(ready)
        if (bundle := next(bundles, None)) is not None:
            at_work[host.do.remote(bundle)] = host
        yield from ray.get(ready)
