"""Score a model on procedural cabinets that were never trained on, beside repeating frame 1 and the VAE's reconstruction.

example:
  puppetmaster evaluate --model tiny --clips 64 --output results/tiny_cabinets.json
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from puppetmaster_core.cli.arguments import BadInput, whole
from puppetmaster_core.cli.models import bad_input, load
from puppetmaster_core.files import try_writing, whole_file

HELP = "score a model on unseen clips"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default="tiny", help="a shipped model, a folder, or OWNER/NAME on the hub (default: tiny)")
    parser.add_argument("--clips", type=whole(2, 100_000), default=64, help="how many (default: 64)")
    parser.add_argument("--straight", action="store_true", help="straight drags, as Drag-a-Move's, not the true paths")
    parser.add_argument("--steps", type=whole(1, 1000), help="sampling steps (default: the model's)")
    parser.add_argument("--solver", choices=("euler", "dpm++"), help="sampling method (default: the model's)")
    parser.add_argument("--seed", type=whole(0, 2**32 - 1), default=0, help="of noise and drags (default: 0)")
    parser.add_argument("--output", type=Path, metavar="SCORES.json", help="write the summary and every clip's scores")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def run(arguments: argparse.Namespace) -> None:
    output = arguments.output
    if output:
        if output.is_dir():
            raise BadInput(f"{output}: this is a folder, wanted a file for the scores: choose another name")
        try:
            try_writing(output)
        except OSError as error:
            raise BadInput(f"{output}: cannot be written ({error.strerror}): choose another place") from None
    with bad_input():
        pipeline = load(arguments.model)
    pipeline.set_progress_bar_config(disable=True)

    from puppetmaster_core.evaluation.cabinets import evaluate_cabinets, table
    from puppetmaster_core.provenance import commit

    sampling = {"steps": arguments.steps or pipeline.config.steps, "solver": arguments.solver}
    began = time.perf_counter()
    with bad_input():
        options = {"seed": arguments.seed, "straight": arguments.straight}
        summary, scores = evaluate_cabinets(pipeline, arguments.clips, **options, **sampling)
    print(json.dumps(summary) if arguments.json else table(summary))
    if output:
        record = {"model": arguments.model, "command": "puppetmaster " + " ".join(sys.argv[1:]), "commit": commit(),
                  "device": str(pipeline.device), "seconds": round(time.perf_counter() - began, 1), **options,
                  **sampling, "summary": summary, "clips": scores}
        with whole_file(output) as partial:
            partial.write_text(json.dumps(record, indent=1) + "\n")
