"""Compare ways of sampling: quality against time, on cabinets that were never trained on.

example:
  puppetmaster solvers --model tiny --clips 32 --output results/solvers_tiny.json
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from puppetmaster_core.cli.arguments import BadInput, whole
from puppetmaster_core.cli.models import bad_input, load
from puppetmaster_core.files import try_writing, write_json

HELP = "compare solvers, steps and guidance: quality against time"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default="tiny", help="a shipped model, a folder, or OWNER/NAME on the hub (default: tiny)")
    parser.add_argument("--clips", type=whole(2, 100_000), default=32, help="how many (default: 32)")
    parser.add_argument("--only", action="append", metavar="NAME", help="a row, or how its name begins; repeatable")
    parser.add_argument("--seed", type=whole(0, 2**32 - 1), default=0, help="of noise and drags (default: 0)")
    parser.add_argument("--output", type=Path, metavar="ROWS.json", help="write the rows")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")


def run(arguments: argparse.Namespace) -> None:
    output = arguments.output
    if output and output.is_dir():
        raise BadInput(f"{output}: this is a folder, expected a file for the rows: choose another name")
    if output:
        try:
            try_writing(output)
        except OSError as error:
            raise BadInput(f"{output}: cannot be written ({error.strerror}): choose another place") from None

    from puppetmaster_core.evaluation.solvers import SETTINGS, compare_settings, table
    from puppetmaster_core.provenance import commit

    settings = {name: how for name, how in SETTINGS.items() if name.startswith(tuple(arguments.only or [""]))}
    if not settings:
        raise BadInput(f"got --only {' '.join(arguments.only)}, expected the beginning of one of: {'; '.join(SETTINGS)}")
    with bad_input():
        pipeline = load(arguments.model)
        pipeline.set_progress_bar_config(disable=True)
        rows = compare_settings(pipeline, arguments.clips, settings, arguments.seed)
    if output:
        import torch

        record = {"model": arguments.model, "command": "puppetmaster " + " ".join(sys.argv[1:]), "commit": commit(),
                  "device": str(pipeline.device), "threads": torch.get_num_threads(), "seed": arguments.seed, "rows": rows}
        write_json(output, record)
    print(json.dumps(rows) if arguments.json else table(rows))
