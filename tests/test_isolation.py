"""Jobs in processes of their own: one that raises, hangs, crashes or eats memory costs itself only, and says why."""

import ctypes
import os
import subprocess
import sys
import time
from pathlib import Path

from puppetmaster_core.isolation import Workers, restart_time_limit, run_isolated


def act(job):
    """What the jobs of these tests do; runs in a worker."""
    kind, value = job
    if kind == "raise":
        raise ValueError("got 7,\nexpected 8")
    if kind == "bug":
        return {}["missing"]
    if kind == "hang":
        print("waiting for a reply", file=sys.stderr, flush=True)
        time.sleep(600)
    if kind == "crash":
        ctypes.string_at(0)
    if kind == "leave":
        os._exit(3)
    if kind == "steps":
        for _ in range(value):
            time.sleep(0.2)
            restart_time_limit()
    if kind == "eat":
        return len(bytearray(2**42))
    return value * value


def pid(job):
    if job == "crash":
        os.abort()
    return os.getpid()


def outcomes(jobs, **options):
    return {outcome.job: outcome for outcome in run_isolated(act, jobs, **options)}


def test_bad_jobs_cost_themselves_only():
    bad = [("raise", 0), ("bug", 0), ("hang", 0), ("crash", 0), ("leave", 0), ("eat", 0)]
    good = [("square", n) for n in range(6)]
    jobs = [job for pair in zip(bad, good, strict=True) for job in pair]
    done = outcomes(jobs, workers=2, time_limit=0.5, memory_gb=8)
    assert set(done) == set(jobs)
    assert {job[1]: done[job].result for job in good} == {n: n * n for n in range(6)}
    assert not any(done[job].error for job in good)
    errors = {job[0]: done[job].error for job in bad}
    assert errors["raise"] == "got 7, expected 8"
    assert errors["bug"] == "KeyError: 'missing'"
    assert errors["hang"] == "took longer than 0.5 s"
    assert errors["crash"] == "its process died (SIGSEGV)"
    assert errors["leave"] == "its process died (exit code 3)"
    assert errors["eat"].startswith("MemoryError")
    assert "waiting for a reply" in done["hang", 0].detail
    assert "in act" in done["crash", 0].detail  # where it crashed, from stderr
    assert "Traceback" in done["bug", 0].detail


def test_a_job_of_several_steps_has_its_time_for_each():
    """Five steps of 0.2 s are longer than the limit of 0.8 s, none of them is."""
    assert outcomes([("steps", 5)], time_limit=0.8)["steps", 5].error is None


def test_jobs_are_taken_as_workers_come_free():
    taken = []

    def jobs():
        for n in range(10):
            taken.append(n)
            yield "square", n

    stream = run_isolated(act, jobs(), workers=2)
    next(stream)
    assert len(taken) <= 3  # neither a list of a million jobs nor their results are held
    stream.close()


def test_a_worker_serves_until_it_fails_a_job():
    """Starting one takes as long as several jobs: the next call finds those that are left."""
    with Workers(pid, 1, time_limit=60.0) as workers:
        first, crashed, second = [*workers.map(["who"]), *workers.map(["crash", "who"])]
        third = next(workers.map(["who"]))
    assert first.result != second.result == third.result != os.getpid() and "SIGABRT" in crashed.error


def test_without_workers_jobs_are_done_here():
    square, bug = run_isolated(act, [("square", 3), ("bug", 0)], workers=0, time_limit=5.0)
    assert (square.result, bug.error) == (9, "KeyError: 'missing'")


def test_memory_is_that_of_the_process_itself():
    """Linux passes its parent's most memory on to a new process: this one holds 300 MB and more, its child does not."""
    held = bytearray(os.urandom(1)) * 300_000_000
    [outcome] = run_isolated(pid, ["who"], workers=1)
    assert 5 < outcome.memory_mb < 250 and len(held) == 300_000_000


def test_workers_that_cannot_start_are_no_fault_of_the_jobs(tmp_path):
    """A main module that cannot be imported again, as a script on standard input: an error at once, not one for each job."""
    code = "from test_isolation import act\nfrom puppetmaster_core.isolation import run_isolated\n"
    code += "print(list(run_isolated(act, [('square', n) for n in range(5)])))"
    here = Path(__file__).parent
    ended = subprocess.run([sys.executable, "-"], input=code, text=True, capture_output=True, cwd=here)
    assert ended.returncode == 1
    assert "RuntimeError: a worker process cannot start" in ended.stderr and "FileNotFoundError" in ended.stderr
