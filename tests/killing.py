"""A harness: start a command, kill it with SIGKILL at random moments, and compare with what an undisturbed run leaves.

    python tests/killing.py render --kills 20
    python tests/killing.py curate --kills 200       (test_render_command.py and test_curate.py run short ones)

Run folders are killed again and again until they are done; of `curate` every second one has a judge that answers from this
machine. Moments are drawn over the whole of a run: while assets are worked on, and after the last one, while what is left is
decided and written. The command is forked from a process that has imported what it needs, so a kill costs a second, not five.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from fake_judge import FakeJudge, serving

from puppetmaster_core.clips.shards import ClipStore
from puppetmaster_core.curation.judge import KEY, MODEL, URL
from puppetmaster_core.curation.tables import read_rows

FORKS = get_context("forkserver")
FORKS.set_forkserver_preload(["puppetmaster_core.curation.verdicts", "puppetmaster_core.curation.judging", "sklearn.ensemble",
                              "skops.io", "puppetmaster_core.cli.curate", "puppetmaster_core.clips.rendering"])
SMALL = ("--size", "16", "--frames", "3")


@dataclass(frozen=True)
class Run:
    """A command to be killed."""

    words: tuple[str, ...]
    count: int  # assets
    part: int  # assets a part, or a shard
    judge: str = ""  # a server's address

    def start(self, folder: Path):
        """The command in a process of its own; what it says is in folder.log."""
        size = "--assets-a-shard" if self.words[0] == "render" else "--assets-a-part"
        words = [*self.words, "--output", str(folder), "--count", str(self.count), size, str(self.part), "--workers", "1",
                 *(("--judge",) if self.judge else ())]
        process = FORKS.Process(target=command, args=(words, self.judge, f"{folder}.log"))
        process.start()
        return process

    def done(self, folder: Path) -> int:
        """How many assets are done for good: those of the parts that are there."""
        parts = [path for name in ("assets", "shard") for path in folder.glob(f"index/{name}-*.parquet")]
        whole = [int(path.stem.partition("-")[2]) for path in parts]
        return sum(min(self.part, self.count - part * self.part) for part in whole)

    def progress(self, folder: Path) -> int:
        """With those of the shard in hand."""
        return self.done(folder) + len(list(folder.glob("work/*/*.tar")))


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

    assets: int | None
    later: float = 0.0

    def hits(self, run: Run, folder: Path) -> bool:
        """Start the run and SIGKILL it then; False where it ended before."""
        wanted = run.count if self.assets is None else min(run.count, run.progress(folder) + self.assets)
        process = run.start(folder)
        while process.is_alive():
            if run.progress(folder) >= wanted:
                process.join(self.later)  # the moment is what is random
                if process.is_alive():
                    os.kill(process.pid, signal.SIGKILL)
                break
            process.join(0.002)
        process.join()
        return process.exitcode == -signal.SIGKILL


def left_by(folder: Path) -> dict[str, object]:
    """All that a run gives, but for what differs in time: shards and their clips' keys, or tables, lists, answers, pictures."""
    if shards := sorted(folder.glob("*.tar")):
        return {"keys": ClipStore(folder).column("key"), **{p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in shards}}
    files = {path.name: path.read_bytes() for kind in ("animation*.json", "answers/*.json", "pictures/*.png")
             for path in folder.glob(kind)}
    rows = {name: [{key: value for key, value in row.items() if key not in ("seconds", "cpu_seconds")}
                   for row in read_rows(folder / f"{name}.parquet")] for name in ("animations", "assets")}
    return {**rows, **files}


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("render", "curate"))
    for name, default, said in (("kills", 200, "in all"), ("count", 47, "assets of a folder; the library has 47 kinds"),
                                ("part", 10, "assets a part or shard"), ("a-folder", 20, "kills of a folder"), ("seed", 0, "")):
        parser.add_argument(f"--{name}", type=int, default=default, help=said)
    given = parser.parse_args()
    rng, began, tried, hits, folders, same = random.Random(given.seed), time.monotonic(), 0, 0, 0, True
    with tempfile.TemporaryDirectory() as scratch, serving(FakeJudge("unrealistic")) as judge:
        runs = [Run(("render", "cabinets", *SMALL), given.count, given.part)] if given.command == "render" else [
            Run(("curate", "library:all"), given.count, given.part, url) for url in ("", judge.url)]
        for i, run in enumerate(runs):
            kill_until_done(run, Path(scratch, f"whole-{i}"), [])
        wanted = [left_by(Path(scratch, f"whole-{i}")) for i in range(len(runs))]
        while hits < given.kills:
            kills = moments(rng, min(given.a_folder, max(4, given.kills - hits)), given.count)
            tried += len(kills)
            folder = Path(scratch, f"killed-{folders}")
            hits += kill_until_done(runs[folders % len(runs)], folder, kills)
            same &= left_by(folder) == wanted[folders % len(runs)]
            folders += 1
            print(f"{folders} folders, {hits} kills of {tried} tried hit, all the same as undisturbed: {same}, "
                  f"{time.monotonic() - began:.0f} s", flush=True)
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
