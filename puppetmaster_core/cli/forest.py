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
import platform
import sys
import time
from pathlib import Path

from puppetmaster_core.cli.arguments import BadInput, check_file, made_now, need, whole
from puppetmaster_core.files import write_json

AT_95, AT_THRESHOLD = "kept at 95 % of the good", "kept at the threshold"
HELP = "fit the forest of `puppetmaster curate`"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--output", type=Path, required=True, metavar="DIR", help="a new folder for the forest")
    add("--good", type=whole(0, 10**6), default=1170, help="good assets of the library (default: 1170)")
    add("--bad", type=whole(0, 10**6), default=1200, help="bad assets of the library (default: 1200)")
    add("--files", metavar="DIR", help="animated files, good ones, to be corrupted in known ways too")
    add("--labels", type=Path, metavar="CSV", help="labels by hand, as the notebook's widget writes them")
    add("--official", type=Path, metavar="DIR", help="the paper's id lists: what is published is good")
    add("--table", type=Path, metavar="PARQUET", help="the animations that these are about, of a run")
    add("--seed", type=whole(0, 2**31 - 1), default=0, help="of the trees and folds (default: 0)")
    add("--workers", type=whole(1, 1024), default=2, help="processes (default: 2)")
    add("--report", type=Path, metavar="FILE.json", help="write the figures there, as results/ has them")


def run(arguments: argparse.Namespace) -> dict:
    if arguments.output.exists():
        raise BadInput(f"{arguments.output}: is there already, and nothing is overwritten: choose another name")
    for path in (arguments.output, arguments.report):
        check_file(path)
    if bool(arguments.labels or arguments.official) != bool(arguments.table):
        raise BadInput("--labels or --official and --table go together: labels, and the metrics of the animations they are about")
    need("sklearn", "skops")

    from tqdm import tqdm

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
        forest = fit_forest(examples, arguments.seed)
    except ValueError as error:  # examples of which no forest can be made
        raise BadInput(str(error)) from error
    seconds = {"measuring": round(measured - began, 1), "fitting": round(time.perf_counter() - measured, 1)}
    forest.save(arguments.output)
    if arguments.report:
        write_json(arguments.report, forest_record(forest.about, seconds))
    return forest.about | {"seconds": seconds}


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


def forest_record(about: dict, seconds: dict[str, float]) -> dict:
    """What `puppetmaster forest` found, of objects of which nothing was known. The bars are ours: AUC 0.99, 3 % of a bad kind."""
    figures = about["figures, objects not seen"]
    worst = {name: max(share for kind, share in figures[name].items() if kind != "good") for name in (AT_95, AT_THRESHOLD)}
    claims = [
        _claim("auc", "figures/auc", "area under the ROC curve", 5, bar=0.99),
        _claim("worst_bad_kept", f"worst kept/{AT_95}", "of the worst bad kind, kept at 95 % of the good", 4, "lower", 0.03),
        _claim("spin_kept", f"figures/{AT_95}/spin", "of the spinning, kept at 95 % of the good", 4, "lower", 0.03),
        _claim("good_kept", f"figures/{AT_THRESHOLD}/good", "of the good, kept at a threshold chosen without them", 4, bar=0.95),
        _claim("worst_bad_kept_at_threshold", f"worst kept/{AT_THRESHOLD}", "of the worst bad kind, kept at such a threshold", 4,
               "lower", 0.03),
        _claim("auc_paper_metrics", "figures with the paper's metrics alone/auc",
               "area under the ROC curve, metrics that the paper names alone", 5)]
    return {"kind": "forest", **made_now(), "device": "cpu", "machine": platform.machine(),
            "python": platform.python_version(), "figures": figures, "worst kept": worst,
            **{name: about[name] for name in ("seed", "labels", "objects", "figures with the paper's metrics alone")},
            "seconds": round(sum(seconds.values()), 1), "seconds by part": seconds, "claims": claims}


def _claim(name: str, at: str, what: str, digits: int, better: str = "higher", bar: float | None = None) -> dict:
    return {"id": f"curation.forest.{name}", "at": at, "what": f"the forest, objects not seen: {what}", "unit": "of 1",
            "digits": digits, "better": better, "bar": bar}
