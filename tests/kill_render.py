"""A harness: start `puppetmaster render`, kill it with SIGKILL again and again, and see that nothing is lost or doubled.

    python tests/kill_render.py --kills 20 --count 40       (tests/test_render_command.py runs a short one)
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from puppetmaster_core.clips.shards import ClipStore

SMALL = ["--size", "16", "--frames", "3", "--assets-a-shard", "4", "--workers", "2"]


def start(folder: Path, source: str, *more: str) -> subprocess.Popen:
    """The command, in a process group of its own."""
    words = [sys.executable, "-m", "puppetmaster_core", "render", source, "--output", str(folder), *SMALL, *more]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def done(folder: Path) -> int:
    """How far a run is: assets of the shards that are there, and those of the shard in hand."""
    return 4 * len(list(folder.glob("index/*.parquet"))) + len(list(folder.glob("work/*/*.tar")))


def kill_when(process: subprocess.Popen, folder: Path, progress: int) -> bool:
    """SIGKILL the command once it got `progress` assets farther; False where it ended before."""
    wanted = done(folder) + progress
    while process.poll() is None:
        if done(folder) >= wanted:
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            return True
        time.sleep(0.002)  # a poll, not a wait for something that takes about so long
    process.communicate()
    return False


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each shard."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.tar"))}


def kill_until_done(folder: Path, source: str, more: list[str], kills: list[int]) -> int:
    """Kill the run after each of `kills` assets more, then let it end; how many kills hit it."""
    hits = 0
    for progress in kills:
        hits += kill_when(start(folder, source, *more), folder, progress)
    out, error = (last := start(folder, source, *more)).communicate()
    if last.returncode:
        raise RuntimeError(f"the last run ended with {last.returncode}: {out}{error}")
    return hits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    more = ["--count", str(arguments.count)]
    with tempfile.TemporaryDirectory() as scratch:
        whole, killed = Path(scratch, "whole"), Path(scratch, "killed")
        kill_until_done(whole, "cabinets", more, [])
        hits = kill_until_done(killed, "cabinets", more, [rng.randrange(0, 5) for _ in range(arguments.kills)])
        keys = ClipStore(killed).column("key")
        same = digests(whole) == digests(killed)
        print(f"{hits} of {arguments.kills} kills hit; {len(keys)} clips, {len(set(keys))} different, shards the same: {same}")
        sys.exit(0 if same and len(keys) == len(set(keys)) == arguments.count else 1)


if __name__ == "__main__":
    main()
