"""Score a model on procedural cabinets that were never trained on, beside repeating frame 1 and the VAE's reconstruction.

example:
  puppetmaster evaluate --model tiny --clips 64 --output results/tiny_cabinets.json
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

from puppetmaster_core.cli.arguments import BadInput, whole
from puppetmaster_core.cli.models import bad_input, load

HELP = "score a model on unseen clips"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default="tiny", help="a shipped model, a folder, or OWNER/NAME on the hub (default: tiny)")
    parser.add_argument("--clips", type=whole(2, 100_000), default=64, help="how many (default: 64)")
    parser.add_argument("--straight", action="store_true", help="straight drags, as Drag-a-Move's, not the true paths")
    parser.add_argument("--steps", type=whole(1, 1000), help="sampling steps (default: the model's)")
    parser.add_argument("--solver", choices=("euler", "dpm++"), help="sampling method (default: the model's)")
    parser.add_argument("--output", type=Path, metavar="SCORES.json", help="write the summary and every clip's scores")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def run(arguments: argparse.Namespace) -> None:
    if arguments.output and not os.access(arguments.output.parent, os.W_OK):
        raise BadInput(f"{arguments.output}: cannot be written, wanted a place to write to: choose another")
    with bad_input():
        pipeline = load(arguments.model)
        pipeline.set_progress_bar_config(disable=True)
    from puppetmaster_core.evaluation.cabinets import evaluate_cabinets, table

    began = time.perf_counter()
    summary, scores = evaluate_cabinets(pipeline, arguments.clips, straight=arguments.straight, steps=arguments.steps,
                                        solver=arguments.solver)
    record = {"model": arguments.model, "command": "puppetmaster " + " ".join(sys.argv[1:]), "device": str(pipeline.device),
              "seconds": round(time.perf_counter() - began, 1), "summary": summary, "clips": scores}
    if arguments.output:
        partial = arguments.output.with_name(arguments.output.name + ".partial")
        partial.write_text(json.dumps(record, indent=1) + "\n")
        partial.replace(arguments.output)
    print(json.dumps(summary) if arguments.json else table(summary))
