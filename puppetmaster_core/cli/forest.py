"""Fit the forest that `puppetmaster curate` uses: which animations are worth learning from, by how they move.

It learns from the procedural library, good and bad on purpose; from a folder of animated files and known corruptions of them;
and, for the animations of a run's table, from labels given by hand in the notebook and from the paper's published ids. The same
command gives the same forest. Every figure is of objects of which neither trees nor calibration nor threshold have seen anything,
and says where labels come from.

example:
  puppetmaster forest --output forest
  puppetmaster forest --files models/ --good 1200 --bad 1200 --output forest
  puppetmaster forest --labels labels.csv --table curated/animations.parquet --output forest
  puppetmaster forest --official lists/ --table objaverse/animations.parquet --output forest
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from puppetmaster_core.cli.arguments import BadInput, whole
from puppetmaster_core.files import try_writing, write_json

HELP = "fit the forest of `puppetmaster curate`"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="a new folder for the forest")
    parser.add_argument("--good", type=whole(0, 10**6), default=1170, help="good assets of the library (default: 1170)")
    parser.add_argument("--bad", type=whole(0, 10**6), default=1200, help="bad assets of the library (default: 1200)")
    parser.add_argument("--files", metavar="DIR", help="animated files, good ones, to be corrupted in known ways too")
    parser.add_argument("--labels", type=Path, metavar="CSV", help="labels by hand, as the notebook's widget writes them")
    parser.add_argument("--official", type=Path, metavar="DIR", help="the paper's id lists: what is published is good")
    parser.add_argument("--table", type=Path, metavar="PARQUET", help="the animations that these are about, of a run")
    parser.add_argument("--seed", type=whole(0, 2**31 - 1), default=0, help="of the trees and folds (default: 0)")
    parser.add_argument("--workers", type=whole(1, 1024), default=2, help="processes (default: 2)")
    parser.add_argument("--report", type=Path, metavar="FILE.json", help="write the figures there, as results/ has them")
    parser.add_argument("--json", action="store_true", help="print what the forest says of itself as JSON")


def run(arguments: argparse.Namespace) -> None:
    if arguments.output.exists():
        raise BadInput(f"{arguments.output}: is there already, and nothing is overwritten: choose another name")
    if bool(arguments.labels or arguments.official) != bool(arguments.table):
        raise BadInput("--labels or --official and --table go together: labels, and the metrics of the animations they are about")
    for path in filter(None, (arguments.output, arguments.report)):
        try:
            try_writing(path)
        except OSError as error:
            raise BadInput(f"{path}: cannot be written ({error.strerror}): choose another place") from None
    need("sklearn", "skops")

    from tqdm import tqdm

    from puppetmaster_core.clips.sources import SourceError
    from puppetmaster_core.curation.examples import collect, file_jobs, library_jobs
    from puppetmaster_core.curation.fitting import fit_forest

    try:
        source, jobs = file_jobs(arguments.files) if arguments.files else (None, [])
        labelled = _labelled(arguments)
        jobs = [*jobs, *library_jobs(arguments.good, arguments.bad)]
        began = time.perf_counter()
        examples, failures = collect(jobs, source, labelled, arguments.workers,
                                     lambda outcomes: tqdm(outcomes, total=len(jobs), desc="measuring", file=sys.stderr))
        for failure in failures:
            print(failure, file=sys.stderr)
        measured = time.perf_counter()
        forest, _ = fit_forest(examples, arguments.seed)
        seconds = {"measuring": round(measured - began, 1), "fitting": round(time.perf_counter() - measured, 1)}
    except (SourceError, ValueError) as error:
        raise BadInput(str(error)) from error
    forest.save(arguments.output)
    if arguments.report:
        from puppetmaster_core.curation import results

        write_json(arguments.report, results.forest_record(forest.about, seconds))
    print(json.dumps(forest.about | {"seconds": seconds}, ensure_ascii=False) if arguments.json else
          summary(arguments.output, forest.about) + "\n{measuring} s to measure, {fitting} s to fit and check".format(**seconds))


def summary(folder: Path, about: dict) -> str:
    """What a forest is, in a few lines: figures, and where its labels come from."""
    figures = about["figures, objects not seen"]
    kept = ", ".join(f"{kind} {share:.1%}" for kind, share in figures["kept at the threshold"].items())
    labels = "; ".join(f"{source}: {sum(kinds.values())}" for source, kinds in about["labels"].items())
    return (f"{folder}: AUC {figures['auc']:.4f}, average precision {figures['average precision']:.4f}, "
            f"Brier score {figures['brier']:.4f} on objects not seen\nkept: {kept}\nlabels from {labels}")


def _labelled(arguments: argparse.Namespace) -> list:
    """Examples from a run's table: what was labelled by hand, and what the paper's published list has."""
    import pyarrow.parquet

    from puppetmaster_core.curation.examples import labelled_rows, published_rows
    from puppetmaster_core.curation.labels import read_labels, verdicts
    from puppetmaster_core.curation.objaverse import LISTS, read_ids

    if (table := arguments.table) is None:
        return []
    try:
        rows = pyarrow.parquet.read_table(table).to_pylist()
    except (OSError, ValueError) as error:
        raise BadInput(f"{table}: cannot be read ({error}): give the animations.parquet of `puppetmaster curate`") from None
    by_hand = list(labelled_rows(rows, verdicts(read_labels(arguments.labels)))) if arguments.labels else []
    ids = read_ids(arguments.official / LISTS["animation"])[0] if arguments.official else []
    return [*by_hand, *published_rows(rows, ids)]


def need(*packages: str, extra: str = "curation") -> None:
    """Raise BadInput where one of the packages is not installed."""
    from importlib.util import find_spec

    if missing := [name for name in packages if find_spec(name) is None]:
        raise BadInput(f"{' and '.join(missing)} is not installed: pip install 'puppetmaster-core[{extra}]'")
