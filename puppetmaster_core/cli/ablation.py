"""`puppetmaster reproduce --scale ablation`: the grid of arms and seeds, any part of it; what is done is kept."""

from __future__ import annotations

import argparse
from pathlib import Path

from puppetmaster_core.cli.arguments import BadInput, whole
from puppetmaster_core.files import try_writing
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


def run(arguments: argparse.Namespace) -> None:
    from puppetmaster_core.ablations import arms, grid, tables
    from puppetmaster_core.files import write_json

    results, work = arguments.results or CHECKOUT / RESULTS, arguments.work or CHECKOUT / WORK
    _try_folders(results, work)
    given = {name: getattr(arguments, name) for name in ("steps", "clips", "judged") if getattr(arguments, name) is not None}
    try:
        chosen = arms.chosen(arguments.table or (), arguments.arms or ())
        whole_grid = grid.Grid(results, work, grid.Size(**given))
        if arguments.show:
            whole_grid.check()
        else:
            for path, made in whole_grid.run(chosen, arguments.seeds or grid.SEEDS):
                print(f"{path}: {'made now' if made else 'there already'}", flush=True)
        loaded = tables.load(results)
    except arms.AblationError as error:
        raise BadInput(str(error)) from error
    write_json(results.with_suffix(".json"), tables.result(loaded, "puppetmaster reproduce --scale ablation"))
    for name in arguments.table or arms.TABLES:
        print(f"\n{tables.text(loaded, name)}")
    print(f"\n{tables.orderings_text(loaded)}")


def _try_folders(*folders: Path) -> None:
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            try_writing(folder / "trial")
        except OSError as error:
            raise BadInput(f"{folder}: cannot be written ({error.strerror}), expected a folder: choose another place") from None


def refuse(arguments: argparse.Namespace) -> None:
    """Raise BadInput for an option of this scale with another."""
    if given := [name for name in OPTIONS if getattr(arguments, name) is not None]:
        raise BadInput(f"got --{given[0]} with --scale {arguments.scale}, expected --scale ablation with it: leave one out")
