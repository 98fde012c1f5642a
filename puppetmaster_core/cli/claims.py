"""Show every claim of the ledger: the paper's value, ours, and whether it holds; or make the ledger anew from the results.

example:
  puppetmaster claims --update
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from puppetmaster_core.cli.arguments import BadInput

HELP = "show the ledger of claims, or make it from the results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--results", type=Path, default=Path("results"), metavar="FOLDER", help="of results (default: results)")
    add("--update", action="store_true", help="write FOLDER/ledger.json from the other results in FOLDER")


def run(arguments: argparse.Namespace) -> tuple[list, str]:
    from puppetmaster_core.evaluation.claims import rebuild
    from puppetmaster_core.evaluation.ledger import FILE, read_ledger, write_ledger

    folder = arguments.results
    if not folder.is_dir():
        raise BadInput(f"{folder}: no such folder, expected one with results: name it with --results")
    claims = rebuild(folder)
    if arguments.update:
        write_ledger(claims, folder / FILE)
    elif read_ledger(folder) != claims:
        raise BadInput(f"{folder / FILE} is not what the results make: puppetmaster claims --update")
    width = max((len(name) for name in claims), default=0)
    lines = [f"{claim.id:{width}}  {claim.holds or '–':8} ours {claim.figure:36} paper {claim.paper_figure:10} {claim.what}"
             for claim in claims.values()]
    return [asdict(claim) | {"holds": claim.holds} for claim in claims.values()], "\n".join(lines)
