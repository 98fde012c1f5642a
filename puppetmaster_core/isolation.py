"""Worker processes with limits: a job that raises, hangs, crashes or eats the memory costs itself only, and says why.

A worker that fails a job is replaced, and the others go on. A worker's time limit is the kernel's alarm clock, which ends the
process whatever it hangs in. (Pools such as pebble's share one pipe and its lock among workers, know no limit for each step of a
job, and lose what a crashed worker wrote to stderr.)
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import wait

TAIL = 2000  # characters of stderr that are kept of a failure
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Outcome:
    """What became of a job."""

    job: object
    result: object = None
    error: str | None = None  # one line, None = done
    detail: str = ""  # the traceback and the end of stderr
    memory_mb: float = 0.0  # the most its worker ever held


class Workers:
    """A few processes, of one thread each, that call `function` for one job at a time: `with Workers(…) as workers`.

    function: importable by name; it, the jobs and the results are pickled between our own processes. count: processes; 0: jobs
    are done in this process, without limits. time_limit: seconds a job, and again from each `restart_time_limit()` in it.
    memory_gb: address space of a process.
    """

    def __init__(self, function: Callable, count: int = 2, *, time_limit: float | None = None, memory_gb: float | None = None):
        self._function, self._count, self._idle, self._busy = function, count, [], []
        self._new = partial(_Worker, function, time_limit, memory_gb)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_) -> None:
        for worker in self._idle + self._busy:
            worker.end()

    def map(self, jobs: Iterable) -> Iterator[Outcome]:
        """Outcomes in the order in which they are done. Jobs are taken from the iterable as workers come free.

        Raises RuntimeError, with their stderr, where workers cannot even start.
        """
        if not self._count:
            yield from (Outcome(job, *_do(self._function, job)) for job in jobs)
            return
        jobs = iter(jobs)
        while True:
            for job in islice(jobs, self._count - len(self._busy)):
                self._busy.append(self._idle.pop() if self._idle else self._new())
                self._busy[-1].give(job)
            if not self._busy:
                return
            worker = wait(self._busy)[0]
            if outcome := worker.outcome():
                self._busy.remove(worker)
                if worker.alive:
                    self._idle.append(worker)
                yield outcome


def run_isolated(function: Callable, jobs: Iterable, workers: int = 2, **limits) -> Iterator[Outcome]:
    """Outcomes of function(job), in the order in which they are done; for the limits see `Workers`."""
    with Workers(function, workers, **limits) as pool:
        yield from pool.map(jobs)


def restart_time_limit(steps: int = 1) -> None:
    """Called in a job of several steps: its time starts anew, now for `steps` at once. Outside a worker nothing happens."""
    if _time_limit:
        signal.setitimer(signal.ITIMER_REAL, _time_limit * steps)


_time_limit = 0.0  # seconds, of the worker that this process is; 0: none


# ---- the worker, seen from its parent ------------------------------------------------------------------------------------


class _Worker:
    """A process, our end of its pipe, and its stderr."""

    def __init__(self, function: Callable, time_limit: float | None, memory_gb: float | None):
        self.job, self.time_limit, self.alive, self.started = None, time_limit, True, False
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 - `end` closes it
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(pickle.dumps(function), theirs, time_limit, memory_gb), daemon=True)
        with stderr_to(self.log):
            self.process.start()
        theirs.close()

    def fileno(self) -> int:
        return self.pipe.fileno()

    def give(self, job) -> None:
        self.job = job
        with suppress(OSError):  # a worker that died at its start is seen by `outcome`
            self.pipe.send(job)

    def outcome(self) -> Outcome | None:
        """What became of the job; None: the worker has only just started."""
        try:
            message = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            cause, said = self._cause(self.process.exitcode), self._said()
            self.end()
            if not self.started:
                raise RuntimeError(f"a worker process cannot start ({cause}):\n{said}") from None
            return Outcome(self.job, error=cause, detail=said)
        if not self.started:
            self.started = True
            return None
        result, error, detail, memory = message
        return Outcome(self.job, result, error, self._said(detail) if error else "", memory)

    def end(self) -> None:
        """End the process and those it started, Blender's for instance."""
        self.alive = False
        with suppress(OSError):  # its group is gone, or not there yet
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.join()
        self.pipe.close()
        self.log.close()

    def _cause(self, code: int) -> str:
        if code == -signal.SIGALRM:
            return f"took longer than {self.time_limit:g} s"
        if code == -signal.SIGKILL:
            return "its process died (killed: out of memory?)"
        return f"its process died ({f'exit code {code}' if code >= 0 else signal.Signals(-code).name})"

    def _said(self, detail: str = "") -> str:
        """The traceback, and the end of what came on stderr since this worker's last failure."""
        end = self.log.seek(0, os.SEEK_END)
        self.log.seek(max(0, end - 10 * TAIL))
        text = self.log.read().decode("utf-8", "replace").partition("\nExtension modules: ")[0]  # faulthandler's long last line
        self.log.truncate(0)
        return (detail[-TAIL:] + text[-TAIL:]).strip()


# ---- the worker's own life -----------------------------------------------------------------------------------------------


def _work(packed: bytes, pipe, time_limit: float | None, memory_gb: float | None) -> None:
    global _time_limit
    os.environ.update(ONE_THREAD)
    function = pickle.loads(packed)  # our own; packed until now, as its modules read the environment when they are imported
    _time_limit = time_limit or 0.0
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to hear
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # which ends the process
    os.setpgrp()
    faulthandler.enable()
    if memory_gb and sys.platform.startswith("linux"):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (int(memory_gb * 2**30),) * 2)
    with suppress(EOFError, OSError):  # the parent is gone
        pipe.send("started")
        while True:
            pipe.send(_do(function, pipe.recv()))


def _do(function: Callable, job) -> tuple:
    """Result, error, traceback, the most memory of this process."""
    result, error, detail = None, None, ""
    restart_time_limit()
    try:
        result = function(job)
    except Exception as problem:
        error, detail = _one_line(problem), traceback.format_exc()
    restart_time_limit(0)  # no limit until the next job
    sys.stderr.flush()
    return result, error, detail, _most_memory_mb()


def _one_line(error: Exception) -> str:
    """An error's own message; its type too where that is no plain refusal."""
    text = " ".join(str(error).split())
    return text if isinstance(error, ValueError) and text else f"{type(error).__name__}: {text}".rstrip(": ")


def _most_memory_mb() -> float:
    """Of this process. `ru_maxrss` would count what its parent held: Linux passes that on to what a process starts."""
    with suppress(OSError, StopIteration), open("/proc/self/status") as file:
        return int(next(line for line in file if line.startswith("VmHWM:")).split()[1]) / 2**10
    return 0.0


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
