"""`puppetmaster reproduce --scale ablation`: the grid of arms and seeds, any part of it; what is done is kept."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from puppetmaster_core.cli.arguments import BadInput, check_folder, whole
from puppetmaster_core.files import write_json
from puppetmaster_core.provenance import CHECKOUT

RESULTS, WORK = Path("results/ablations"), Path("runs/ablation")
OPTIONS = ("table", "arms", "seeds", "results", "work", "steps", "clips", "judged", "show")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("with --scale ablation")
    group.add_argument("--table", action="append", metavar="NAME", help="the arms of one table; again for more (default: all)")
    group.add_argument("--arms", nargs="+", metavar="ARM", help="arms by name (default: all)")
    group.add_argument("--seeds", nargs="+", type=whole(0, 9), metavar="SEED", help="(default: 0 1 2)")
    group.add_argument("--results", type=Path, metavar="FOLDER", help=f"of the runs' files (default: {RESULTS})")
    group.add_argument("--work", type=Path, metavar="FOLDER", help=f"of clips, which can be made again (default: {WORK})")
    group.add_argument("--steps", type=whole(1, 10**6), help="of training (the scale's)")
    group.add_argument("--clips", type=whole(8, 10**5), help="to train on (the scale's)")
    group.add_argument("--judged", type=whole(4, 1000), help="unseen clips to judge on (default: 128)")
    group.add_argument("--show", action="store_true", default=None, help="run nothing: tables of what is there")


def run(arguments: argparse.Namespace) -> tuple[dict, str]:
    """The report and the tables. Raises BadInput, AblationError, or what rendering raises."""
    results, work = arguments.results or CHECKOUT / RESULTS, arguments.work or CHECKOUT / WORK
    for folder in (results, work):
        check_folder(folder)

    from puppetmaster_core.ablations import arms, grid, tables

    given = {name: getattr(arguments, name) for name in ("steps", "clips", "judged") if getattr(arguments, name) is not None}
    chosen = arms.chosen(arguments.table or (), arguments.arms or ())
    whole_grid = grid.Grid(results, work, grid.Size(**given))
    if arguments.show:
        whole_grid.check()
    else:
        for path, made in whole_grid.run(chosen, arguments.seeds or grid.SEEDS):
            print(f"{path}: {'made now' if made else 'there already'}", file=sys.stderr)
    loaded = tables.load(results)
    report = tables.result(loaded, "puppetmaster reproduce --scale ablation")
    write_json(results.with_suffix(".json"), report)
    shown = [tables.text(loaded, name) for name in arguments.table or arms.TABLES]
    return report, "\n\n".join([*shown, tables.orderings_text(loaded)])


def refuse(arguments: argparse.Namespace) -> None:
    """Raise BadInput for an option of this scale with another."""
    if given := [name for name in OPTIONS if getattr(arguments, name) is not None]:
        raise BadInput(f"got --{given[0]} with --scale {arguments.scale}, expected --scale ablation with it: leave one out")
