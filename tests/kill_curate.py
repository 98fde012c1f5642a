"""A harness: start `puppetmaster curate`, kill it with SIGKILL at random moments, and compare with an undisturbed run's tables.

    python tests/kill_curate.py --kills 200 --count 400       (tests/test_curate.py runs a short one)
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from puppetmaster_core.curation.tables import lasting


def start(folder: Path, source: str, *more: str) -> subprocess.Popen:
    """The command, in a process group of its own."""
    words = [sys.executable, "-m", "puppetmaster_core", "curate", source, "--output", str(folder), *more]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def done(folder: Path, part: int) -> int:
    """How many assets are done: pieces, and whole parts of `part` assets."""
    whole = {int(path.stem.partition("-")[2]) for path in folder.glob("index/assets-*.parquet")}
    return len(whole) * part + sum(int(path.parent.name) not in whole for path in folder.glob("work/*/*.json"))


def kill_when(process: subprocess.Popen, folder: Path, part: int, progress: int, later: float) -> bool:
    """SIGKILL the command `later` seconds after it got `progress` assets farther; False where it ended before."""
    wanted = done(folder, part) + progress
    while process.poll() is None:
        if done(folder, part) >= wanted:
            time.sleep(later)  # the moment is what is random
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            return process.returncode == -signal.SIGKILL
        time.sleep(0.002)
    process.communicate()
    return False


def tables(folder: Path) -> dict[str, object]:
    """All that a run gives, but for what differs in time."""
    return {"animations": lasting(folder / "animations.parquet"), "assets": lasting(folder / "assets.parquet"),
            "list": (folder / "animation.json").read_text()}


def kill_until_done(folder: Path, source: str, more: list[str], part: int, kills: list[tuple[int, float]]) -> int:
    """Kill the run after each of `kills` (assets more, seconds later), then let it end; how many kills hit it."""
    hits = 0
    for progress, later in kills:
        before = done(folder, part)
        hits += kill_when(start(folder, source, *more), folder, part, progress, later)
        if done(folder, part) < before:
            raise RuntimeError(f"{before} assets were done, after a kill {done(folder, part)}")
    out, error = (last := start(folder, source, *more)).communicate()
    if last.returncode:
        raise RuntimeError(f"the last run ended with {last.returncode}: {out}{error}")
    return hits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--part", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    more = ["--count", str(arguments.count), "--assets-a-part", str(arguments.part), "--workers", "1"]
    most = max(1, arguments.count // max(1, arguments.kills))
    kills = [(rng.randint(0, most), rng.uniform(0, 0.1)) for _ in range(arguments.kills)]
    with tempfile.TemporaryDirectory() as scratch:
        whole, killed = Path(scratch, "whole"), Path(scratch, "killed")
        kill_until_done(whole, "library:all", more, arguments.part, [])
        hits = kill_until_done(killed, "library:all", more, arguments.part, kills)
        same = tables(whole) == tables(killed)
        print(f"{hits} of {arguments.kills} kills hit; {len(tables(killed)['animations'])} animations, tables the same: {same}")
        sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
