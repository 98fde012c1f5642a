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

from puppetmaster_core.cli import ablation
from puppetmaster_core.cli.arguments import BadInput, need
from puppetmaster_core.provenance import CHECKOUT

HELP = "make every table and figure again"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scale", choices=("smoke", "tiny", "mini", "svd", "ablation"), default="tiny", help="(default: tiny)")
    parser.add_argument("--model", metavar="FOLDER", help="a model instead of the shipped one of the scale")
    ablation.add_arguments(parser)


def run(arguments: argparse.Namespace) -> tuple[dict, str] | None:
    if arguments.scale == "ablation":
        if arguments.model:
            raise BadInput("got --model with --scale ablation, which trains its own: leave one out")
        return ablation.run(arguments)
    ablation.refuse(arguments)
    script = CHECKOUT / "book" / "_ext" / "reproduction.py"
    if not script.is_file():
        raise BadInput(f"{CHECKOUT}: no book here, expected a checkout of the project: run this from one")
    need("papermill", "jupytext", extra="notebooks")
    words = ["--scale", arguments.scale, "--root", str(CHECKOUT), *(["--model", arguments.model] if arguments.model else [])]
    if code := subprocess.call([sys.executable, str(script), *words]):
        sys.exit(code)
    return None
