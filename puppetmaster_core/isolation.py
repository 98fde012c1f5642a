"""Jobs from outside, each of which may hang, crash or eat the memory: what one costs, it costs alone.

A few worker processes take one job at a time. A job that raises, takes too long or kills its worker becomes an `Outcome` with
the reason and what was written to stderr; the worker is replaced and the others go on.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import wait

TAIL = 2000  # characters of stderr that are kept of a failure
START = 300.0  # seconds a worker may take to import what it needs
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Outcome:
    """What became of a job."""

    job: object
    result: object = None
    error: str | None = None  # one line, None = done
    detail: str = ""  # the traceback and the end of stderr
    memory_mb: float = 0.0  # the most its worker ever held
    cpu_seconds: float = 0.0  # of its worker, for this job


def run_isolated(function: Callable, jobs: Iterable, *, workers: int = 2, time_limit: float | None = None,
                 memory_gb: float | None = None) -> Iterator[Outcome]:
    """Outcomes of function(job), in the order in which they are done. Jobs are taken from the iterable as workers come free.

    function: importable by name; it, the jobs and the results are pickled between our own processes. time_limit: seconds a
    job, from when its worker has started, and again from each `still_going()` of a job of several steps. memory_gb:
    address space of a worker. Each worker computes with one thread.
    Raises RuntimeError, with their stderr, where workers cannot even start.
    """
    jobs, pool = iter(jobs), []
    try:
        for job in jobs:
            pool.append(_Worker(function, memory_gb))
            pool[-1].give(job, time_limit)
            if len(pool) == max(1, workers):
                break
        while pool:
            left = min(worker.deadline for worker in pool) - time.monotonic()
            wait([worker.pipe for worker in pool], timeout=min(max(0.0, left), 60.0))
            for i, worker in enumerate(list(pool)):
                outcome = worker.outcome()
                if outcome is None:
                    continue
                yield outcome
                try:
                    job = next(jobs)
                except StopIteration:
                    worker.end()
                    pool[i] = None
                    continue
                if not worker.alive:
                    worker.end()
                    worker = pool[i] = _Worker(function, memory_gb)
                worker.give(job, time_limit)
            pool = [worker for worker in pool if worker]
    finally:
        for worker in pool:
            if worker:
                worker.end()


def still_going(steps: int = 1) -> None:
    """Called in a job: a step is done, its time starts anew; the next `steps` are done in one. Outside a worker nothing is."""
    if _to_parent is not None:
        _to_parent.send(("began", steps))


_to_parent = None  # a worker's pipe


@dataclass
class _Worker:
    """A process, our end of its pipe, and its stderr."""

    function: Callable
    memory_gb: float | None
    alive: bool = True
    started: bool = False
    deadline: float = float("inf")
    job: object = None
    limit: float | None = None
    log: object = field(default_factory=tempfile.TemporaryFile)

    def __post_init__(self):
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        with _environment(ONE_THREAD):
            self.process = context.Process(target=_work, args=(self.function, theirs, self.memory_gb, os.getpid()), daemon=True)
            with stderr_to(self.log):
                self.process.start()
        theirs.close()

    def give(self, job, limit: float | None) -> None:
        self.job, self.limit = job, limit
        self.deadline = time.monotonic() + START if limit else float("inf")  # until it says that it began
        with suppress(OSError):  # a worker that died at its start is seen by `outcome`
            self.pipe.send(job)

    def outcome(self) -> Outcome | None:
        """What became of the job, or None while it goes on."""
        try:
            if self.pipe.poll():
                kind, *message = self.pipe.recv()
                if kind == "began":
                    self.started = True
                    self.deadline = time.monotonic() + (self.limit or float("inf")) * message[0]
                    return None
                result, error, detail, *used = message
                return Outcome(self.job, result, error, self._said(detail) if error else "", *used)
        except (EOFError, OSError):
            self.process.join()
            self.alive = False
            if not self.started:
                raise RuntimeError(f"a worker process cannot start ({_cause(self.process.exitcode)}):\n{self._said()}") from None
            return Outcome(self.job, error=f"its process died ({_cause(self.process.exitcode)})", detail=self._said())
        if time.monotonic() < self.deadline:
            return None
        self._kill()
        self.alive = False
        return Outcome(self.job, error=f"took longer than {self.limit:g} s", detail=self._said())

    def end(self) -> None:
        self._kill()
        self.pipe.close()
        self.log.close()

    def _kill(self) -> None:
        """End the worker and the processes it started, Blender's for instance."""
        try:
            if self.process.exitcode is None and os.getpgid(self.process.pid) == self.process.pid:
                os.killpg(self.process.pid, signal.SIGKILL)
        except (OSError, AttributeError):  # it is gone; or there are no groups here
            pass
        self.process.kill()
        self.process.join()

    def _said(self, detail: str = "") -> str:
        """The traceback, and the end of what came on stderr since this worker's last failure."""
        end = self.log.seek(0, os.SEEK_END)
        self.log.seek(max(0, end - TAIL))
        text = self.log.read().decode("utf-8", "replace")
        self.log.truncate(0)
        return (detail[-TAIL:] + text).strip()


def _work(function: Callable, pipe, memory_gb: float | None, parent: int) -> None:
    """A worker's life: it ends with its parent, whose end of the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to hear
    if hasattr(os, "setpgrp"):
        os.setpgrp()
    global _to_parent
    _to_parent = pipe
    faulthandler.enable()
    _limit_memory(memory_gb)
    while True:
        try:
            job = pipe.recv()
        except (EOFError, OSError):
            return
        if os.getppid() != parent:
            return
        pipe.send(("began", 1))
        began = time.process_time()
        try:
            message = (function(job), None, "")
        except Exception as error:
            message = (None, _one_line(error), traceback.format_exc())
        sys.stderr.flush()
        try:
            pipe.send(("ended", *message, _most_memory_mb(), time.process_time() - began))
        except OSError:
            return


def _one_line(error: Exception) -> str:
    """An error's own message; its type too where that is no plain refusal."""
    text = " ".join(str(error).split())
    return text if isinstance(error, ValueError) and text else f"{type(error).__name__}: {text}".rstrip(": ")


def _cause(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    return "killed: out of memory?" if -code == signal.SIGKILL else signal.Signals(-code).name


def _limit_memory(gigabytes: float | None) -> None:
    if gigabytes and sys.platform.startswith("linux"):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (int(gigabytes * 2**30),) * 2)


def _most_memory_mb() -> float:
    """Of this process. `ru_maxrss` alone would count what its parent held: Linux passes it on to what a process starts."""
    with suppress(OSError, StopIteration), open("/proc/self/status") as file:
        return int(next(line for line in file if line.startswith("VmHWM:")).split()[1]) / 2**10
    try:
        import resource
    except ImportError:  # not a Unix
        return 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Environment variables for the processes that are started inside."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def stderr_to(file) -> Iterator[None]:
    """This process, and those that are started inside, write their stderr to an open `file`."""
    try:
        kept = os.dup(2)
    except OSError:  # there is no stderr
        yield
        return
    os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
