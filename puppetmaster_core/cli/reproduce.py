"""Make every table and figure again: score the shipped model anew, compare with the ledger, and run every notebook.

smoke goes from data to table in minutes; tiny takes the shipped weights; mini and svd take --model where they are not shipped.
ablation trains the arms of Tables 2 and 3 and the compared mechanisms, or some of them, at a scale made for comparing.
A stopped run goes on where it was. Exit code 1 when a notebook fails or a number is not the ledger's. Wants a checkout, with
the extra `notebooks`.

examples:
  puppetmaster reproduce --scale smoke
  puppetmaster reproduce --scale ablation --table drags --seeds 0
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from puppetmaster_core.cli.arguments import BadInput, check_folder, need, whole
from puppetmaster_core.files import write_json
from puppetmaster_core.provenance import CHECKOUT

HELP = "make every table and figure again"
GRID = ("table", "arms", "seeds", "results", "work", "steps", "judged", "show")  # options of --scale ablation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scale", choices=("smoke", "tiny", "mini", "svd", "ablation"), default="tiny", help="(default: tiny)")
    parser.add_argument("--model", metavar="FOLDER", help="a model instead of the shipped one of the scale")
    add = parser.add_argument_group("with --scale ablation").add_argument
    add("--table", action="append", metavar="NAME", help="the arms of one table; again for more (default: all)")
    add("--arms", nargs="+", metavar="ARM", help="arms by name (default: all)")
    add("--seeds", nargs="+", type=whole(0, 9), metavar="SEED", help="(default: 0 1 2)")
    add("--results", type=Path, metavar="FOLDER", help="of the runs' files (default: results/ablations)")
    add("--work", type=Path, metavar="FOLDER", help="of clips, which can be made again (default: runs/ablation)")
    add("--steps", type=whole(1, 10**6), help="of training (the scale's)")
    add("--judged", type=whole(4, 1000), help="unseen clips to judge on (default: 128)")
    add("--show", action="store_true", default=None, help="run nothing: tables of what is there")


def run(arguments: argparse.Namespace) -> tuple[dict, str] | None:
    given = [name for name in GRID if getattr(arguments, name) is not None]
    if arguments.scale == "ablation":
        if arguments.model:
            raise BadInput("got --model with --scale ablation, which trains its own: leave one out")
        return _ablation(arguments)
    if given:
        raise BadInput(f"got --{given[0]} with --scale {arguments.scale}, expected --scale ablation with it: leave one out")
    script = CHECKOUT / "book" / "_ext" / "reproduction.py"
    if not script.is_file():
        raise BadInput(f"{CHECKOUT}: no book here, expected a checkout of the project: run this from one")
    need("papermill", "jupytext", extra="notebooks")
    words = ["--scale", arguments.scale, "--root", str(CHECKOUT), *(["--model", arguments.model] if arguments.model else [])]
    if code := subprocess.call([sys.executable, str(script), *words]):
        sys.exit(code)
    return None


def _ablation(arguments: argparse.Namespace) -> tuple[dict, str]:
    """Run the grid of arms and seeds, or a part of it; what is done is kept. The report and the tables."""
    results, work = arguments.results or CHECKOUT / "results/ablations", arguments.work or CHECKOUT / "runs/ablation"
    for folder in (results, work):
        check_folder(folder)

    from puppetmaster_core.ablations import arms, grid, tables

    size = {name: getattr(arguments, name) for name in ("steps", "judged") if getattr(arguments, name) is not None}
    chosen = arms.chosen(arguments.table or (), arguments.arms or ())
    whole_grid = grid.Grid(results, work, grid.Size(**size))
    if arguments.show:
        whole_grid.check()
    else:
        for path, made in whole_grid.run(chosen, arguments.seeds or grid.SEEDS):
            print(f"{path}: {'made now' if made else 'there already'}", file=sys.stderr)
    loaded = tables.load_runs(results)
    report = tables.result(loaded, "puppetmaster reproduce --scale ablation")
    if not size and not arguments.show:  # the ledger takes its claims from runs of the scale's own size
        write_json(results.with_suffix(".json"), report)
    shown = [tables.table_text(loaded, name) for name in arguments.table or arms.TABLES]
    return report, "\n\n".join([*shown, tables.orderings_text(loaded)])
