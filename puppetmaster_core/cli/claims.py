"""Show every claim of the ledger: the paper's value, ours, and whether it holds; or make the ledger anew from the results.

example:
  puppetmaster claims --update
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from puppetmaster_core.cli.arguments import BadInput

HELP = "show the ledger of claims, or make it from the results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="FOLDER", help="of results (default: results)")
    parser.add_argument("--update", action="store_true", help="write FOLDER/ledger.json from the other results in FOLDER")
    parser.add_argument("--json", action="store_true", help="print the claims as JSON")


def run(arguments: argparse.Namespace) -> None:
    from puppetmaster_core.evaluation.claims import rebuild
    from puppetmaster_core.evaluation.ledger import FILE, LedgerError, problems, read, write

    folder = arguments.results
    if not folder.is_dir():
        raise BadInput(f"{folder}: no such folder, expected one with results: name it with --results")
    try:
        if arguments.update:
            write(rebuild(folder), folder / FILE)
        claims = read(folder)
    except (LedgerError, OSError) as error:
        raise BadInput(str(error)) from None
    if wrong := problems(claims, folder):
        raise BadInput(f"{wrong[0]} ({len(wrong)} such): puppetmaster claims --update")
    if arguments.json:
        print(json.dumps([asdict(claim) | {"holds": claim.holds} for claim in claims.values()], ensure_ascii=False))
        return
    width = max((len(name) for name in claims), default=0)
    for claim in claims.values():
        print(f"{claim.id:{width}}  {claim.holds or '–':8} ours {claim.figure:36} paper {claim.paper_figure:10} {claim.what}")
