"""A harness: start `puppetmaster curate`, kill it with SIGKILL at random moments, and compare with an undisturbed run's tables.

    python tests/kill_curate.py --kills 200       (tests/test_curate.py runs a short one)

Run folders are killed again and again until they are done, every second one with a judge that answers from this machine. Moments
are drawn over the whole of a run: while assets are measured, and after the last one, while the forest and the judge decide and
the tables are written. The command is forked from a process that has imported what it needs, so a kill costs a second, not five.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from fake_judge import FakeJudge, serving

from puppetmaster_core.curation.judge import KEY, MODEL, URL
from puppetmaster_core.curation.tables import read_rows

FORKS = get_context("forkserver")
FORKS.set_forkserver_preload(["puppetmaster_core.curation.verdicts", "puppetmaster_core.curation.judging", "sklearn.ensemble",
                              "skops.io", "puppetmaster_core.cli.curate"])


@dataclass(frozen=True)
class Run:
    """A command to be killed."""

    source: str
    count: int  # assets
    part: int  # assets a part
    words: tuple[str, ...] = ("--workers", "1")
    judge: str = ""  # a server's address

    def start(self, folder: Path):
        """The command in a process of its own; what it says is in folder.log."""
        words = ["curate", self.source, "--output", str(folder), "--count", str(self.count), "--assets-a-part", str(self.part),
                 *self.words, *(("--judge",) if self.judge else ())]
        process = FORKS.Process(target=command, args=(words, self.judge, f"{folder}.log"))
        process.start()
        return process

    def done(self, folder: Path) -> int:
        """How many assets are done: those of the parts that are there."""
        whole = [int(path.stem.partition("-")[2]) for path in folder.glob("index/assets-*.parquet")]
        return sum(min(self.part, self.count - part * self.part) for part in whole)


def command(words: list[str], judge: str, log: str) -> None:
    """In the process to be killed."""
    from puppetmaster_core.cli import main

    os.setsid()
    out = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(out, stream)
    os.environ |= {URL: judge, MODEL: "eyes-1", KEY: "secret"} if judge else {}
    sys.exit(main(words))


@dataclass(frozen=True)
class Kill:
    """When: so many assets farther (None: when all are done), and so many seconds later."""

    progress: int | None
    later: float

    def hits(self, run: Run, folder: Path) -> bool:
        """Start the run and SIGKILL it then; False where it ended before."""
        wanted = run.count if self.progress is None else min(run.count, run.done(folder) + self.progress)
        process = run.start(folder)
        while process.is_alive():
            if run.done(folder) >= wanted:
                process.join(self.later)  # the moment is what is random
                if process.is_alive():
                    os.kill(process.pid, signal.SIGKILL)
                break
            process.join(0.005)
        process.join()
        return process.exitcode == -signal.SIGKILL


def tables(folder: Path) -> dict[str, object]:
    """All that a run gives, but for what differs in time."""
    lists = {path.name: path.read_text() for path in folder.glob("animation*.json")}
    answers = {path.name: path.read_text() for path in folder.glob("answers/*.json")}
    pictures = {path.name: path.read_bytes() for path in folder.glob("pictures/*.png")}
    rows = {name: [{key: value for key, value in row.items() if key not in ("seconds", "cpu_seconds")}
                   for row in read_rows(folder / f"{name}.parquet")] for name in ("animations", "assets")}
    return {**rows, "lists": lists, "answers": answers, "pictures": pictures}


def kill_until_done(run: Run, folder: Path, kills: list[Kill]) -> int:
    """Kill the run at each of `kills`, then let it end; how many kills hit it. Raises RuntimeError where it loses anything."""
    hits = 0
    for kill in kills:
        before = run.done(folder)
        hits += kill.hits(run, folder)
        if run.done(folder) < before:
            raise RuntimeError(f"{before} assets were done, after a kill {run.done(folder)}")
    last = run.start(folder)
    last.join()
    if last.exitcode:
        raise RuntimeError(f"the last run ended with {last.exitcode}: {Path(f'{folder}.log').read_text()}")
    return hits


def moments(rng: random.Random, count: int, assets: int) -> list[Kill]:
    """`count` kills of one folder: three of four spread over its assets, the others after the last one."""
    early = [Kill(rng.randint(0, max(1, 2 * assets // count)), rng.uniform(0, 0.6)) for _ in range(-(-3 * count // 4))]
    return [*early, *(Kill(None, rng.uniform(0, 1.5)) for _ in range(count - len(early)))]


@contextmanager
def commands(count: int, part: int) -> Iterator[list[Run]]:
    """What is killed: the run without and with a judge."""
    with serving(FakeJudge("unrealistic")) as judge:
        yield [Run("library:all", count, part), Run("library:all", count, part, judge=judge.url)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--count", type=int, default=47, help="assets of a folder; the library has 39 good kinds and 8 bad ones")
    parser.add_argument("--part", type=int, default=10)
    parser.add_argument("--a-folder", type=int, default=20, help="kills of a folder")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng, began, tried, hits, folders, same = random.Random(arguments.seed), time.monotonic(), 0, 0, 0, True
    with tempfile.TemporaryDirectory() as scratch, commands(arguments.count, arguments.part) as runs:
        for i, run in enumerate(runs):
            kill_until_done(run, Path(scratch, f"whole-{i}"), [])
        wanted = [tables(Path(scratch, f"whole-{i}")) for i in range(len(runs))]
        while hits < arguments.kills:
            kills = moments(rng, min(arguments.a_folder, max(4, arguments.kills - hits)), arguments.count)
            tried += len(kills)
            folder = Path(scratch, f"killed-{folders}")
            hits += kill_until_done(runs[folders % len(runs)], folder, kills)
            same &= (found := tables(folder)) == wanted[folders % len(runs)]
            folders += 1
            print(f"{folders} folders, {hits} kills of {tried} tried hit, {len(found['animations'])} animations and "
                  f"{len(found['answers'])} answers in the last, all the same as undisturbed: {same}, "
                  f"{time.monotonic() - began:.0f} s", flush=True)
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
