"""Compare ways of sampling: quality against time, on cabinets that were never trained on.

example:
  puppetmaster solvers --model tiny --clips 32 --output results/solvers_tiny.json
"""

from __future__ import annotations

import argparse
from pathlib import Path

from puppetmaster_core.cli.arguments import MODEL, SEEDS, BadInput, check_file, load_pipeline, made_now, whole
from puppetmaster_core.files import write_json

HELP = "compare solvers, steps and guidance: quality against time"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--model", default="tiny", help=MODEL)
    add("--clips", type=whole(2, 100_000), default=32, help="how many (default: 32)")
    add("--only", action="append", metavar="NAME", help="a row, or how its name begins; repeatable")
    add("--seed", type=whole(0, SEEDS - 1), default=0, help="of noise and drags (default: 0)")
    add("--output", type=Path, metavar="ROWS.json", help="write the rows")


def run(arguments: argparse.Namespace) -> tuple[list, str]:
    check_file(arguments.output)

    import torch

    from puppetmaster_core.evaluation.solvers import SETTINGS, compare_settings, solvers_table

    settings = {name: how for name, how in SETTINGS.items() if name.startswith(tuple(arguments.only or [""]))}
    if not settings:
        raise BadInput(f"got --only {' '.join(arguments.only)}, expected the beginning of one of: {'; '.join(SETTINGS)}")
    pipeline = load_pipeline(arguments.model, quiet=True)
    rows = compare_settings(pipeline, arguments.clips, settings, arguments.seed)
    if arguments.output:
        write_json(arguments.output, {
            "model": arguments.model, **made_now(), "device": str(pipeline.device), "threads": torch.get_num_threads(),
            "seed": arguments.seed, "rows": rows})
    return rows, solvers_table(rows)
