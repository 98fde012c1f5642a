"""Everything again: the results that the ledger quotes, scored anew and compared, then every notebook of the book.

    python book/_ext/reproduction.py --scale smoke | tiny | mini | svd [--model FOLDER]

smoke runs the notebooks at the size of their own parameters, from data to table in minutes; the other scales also take what
`book/parameters.yml` says, with their own model, and score it again. What is done is kept under a key made from all that it
depends on, so a stopped run goes on. All of it lies in build/reproduce/SCALE.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import papermill

import execution
from pairs import notebook_of, pair_problems, texts
from puppetmaster_core.checkpoints import shipped_models
from puppetmaster_core.evaluation.claims import claims_of
from puppetmaster_core.evaluation.ledger import FILE, Claim, LedgerError

SCALES = ("smoke", "tiny", "mini", "svd")
OUT = Path("build/reproduce")
CORES = len(os.sched_getaffinity(0))
WORKERS = min(4, CORES)  # notebooks at a time: each wants a gigabyte of memory


@dataclass(frozen=True)
class Check:
    """A claim scored again."""

    claim: Claim  # as the ledger has it
    again: float | None  # None: its result could not be made here
    why: str = ""

    @property
    def agrees(self) -> bool:
        """Whether the new number lies in the old interval, or is the old number where there is none."""
        if self.again is None:
            return True
        low, high = (self.claim.ours if end is None else end for end in (self.claim.low, self.claim.high))
        slack = 1e-3 * max(1.0, abs(self.claim.ours))  # other machines round otherwise
        return low - slack <= self.again <= high + slack


def model_of(scale: str, given: str | None) -> str | None:
    """Which model the notebooks take: a shipped one of the scale's name, or the one that was given. Raises ValueError."""
    if scale == "smoke" or given:
        return given
    if scale != "svd" and scale not in shipped_models():
        raise ValueError(f"{scale} is not among the shipped models ({', '.join(shipped_models())}): train it with puppetmaster "
                         f"train --scale {scale}, and name its folder with --model")
    return scale


def parameters_of(root: Path, scale: str, model: str | None) -> tuple[dict[str, dict], list[str]]:
    """What changes in each notebook's parameters cell, and what is wrong with book/parameters.yml."""
    changes, found = execution.plan(root)
    for text in texts(root):
        own = {} if scale == "smoke" else dict(changes.get(text.stem, {}))
        if model and "model" in papermill.inspect_notebook(str(notebook_of(text))):
            own["model"] = model
        changes[text.stem] = own
    return changes, found


def results_of(root: Path, scale: str) -> dict[str, dict]:
    """The results of the ledger that are about the scale's model, by file name."""
    found = {}
    for path in sorted((root / "results").glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8")) if path.name != FILE else {}
        if scale in (record.get("model"), *record.get("models", ())) and record.get("command", "").startswith("puppetmaster "):
            found[path.name] = record
    return found


def score_again(root: Path, name: str, record: dict, model: str, out: Path, surroundings: str) -> list[Check]:
    """Run a result's command again, into `out`, and hold every claim of it to the number it has now. Raises LedgerError."""
    words = shlex.split(record["command"])[1:]
    options = dict(pairwise(words))
    claims = [claim for claim in claims_of(name, record) if claim.ours is not None]
    if not claims:
        return []
    if (data := options.get("--data")) and not (root / data).exists():
        return [Check(claim, None, f"{data} is not here") for claim in claims]
    if "--output" not in words:
        return [Check(claim, None, "its command writes no result") for claim in claims]
    words[words.index("--output") + 1] = str(out / name)
    if "--model" in words:
        words[words.index("--model") + 1] = model
    elif model != "tiny":
        words += ["--model", model]
    key = hashlib.sha256(f"{shlex.join(words)}\n{surroundings}".encode()).hexdigest()
    stamp = out / f"{name}.key"
    if not (stamp.is_file() and stamp.read_text() == key and (out / name).is_file()):
        print(f"{name}: {shlex.join(words)}", flush=True)
        done = subprocess.run([sys.executable, "-m", "puppetmaster_core", *words], cwd=root)
        if done.returncode:
            raise LedgerError(f"{name}: its command ended with exit code {done.returncode}")
        stamp.write_text(key)
    again = {claim.id: claim.ours for claim in claims_of(name, json.loads((out / name).read_text(encoding="utf-8")))}
    return [Check(claim, again.get(claim.id), "" if claim.id in again else "no longer claimed") for claim in claims]


def reproduce(root: Path, scale: str, model: str | None = None) -> list[str]:
    """Do all of it; what failed, a line each. Raises ValueError and LedgerError where it cannot begin."""
    model = model_of(scale, model)
    if found := pair_problems(root):
        return found
    parameters, found = parameters_of(root, scale, model)
    if found:
        return found
    out, surroundings = root / OUT / scale, execution.digest(root)
    (out / "results").mkdir(parents=True, exist_ok=True)
    checks, broken = [], []
    for name, record in results_of(root, scale).items() if model else ():
        try:
            checks += score_again(root, name, record, model, out / "results", surroundings)
        except LedgerError as error:  # the other results, and the notebooks, do not depend on it
            broken.append(str(error))
    for check in checks:
        again = check.why if check.again is None else check.claim.printed(check.again)
        print(f"{check.claim.id:44} ledger {check.claim.figure:32} again {again}{'' if check.agrees else '   DIFFERS'}")
    found = [f"{check.claim.id}: {check.claim.printed(check.again)} came, the ledger has {check.claim.figure}"
             for check in checks if not check.agrees]
    os.environ.setdefault("OMP_NUM_THREADS", str(CORES // WORKERS))
    _, failed = execution.run(root, out, parameters, WORKERS)
    return broken + found + failed


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python book/_ext/reproduction.py", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", choices=SCALES, default="tiny")
    parser.add_argument("--model", help="a folder, instead of the shipped model")
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="the checkout (default: here)")
    options = parser.parse_args(argv)
    os.environ.setdefault("TQDM_DISABLE", "1")
    began = time.monotonic()
    try:
        failed = reproduce(options.root.resolve(), options.scale, options.model)
    except (ValueError, LedgerError) as error:
        print(error, file=sys.stderr)
        return 2
    for line in failed:
        print(line, file=sys.stderr)
    minutes, seconds = divmod(round(time.monotonic() - began), 60)
    print(f"{options.scale}: {'all reproduced' if not failed else f'{len(failed)} failed'} in {minutes} min {seconds} s, "
          f"see {OUT / options.scale}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
