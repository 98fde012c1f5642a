"""The judge's part of `puppetmaster curate`: which one is asked, at what price, and about what."""

from __future__ import annotations

import argparse
import sys

from puppetmaster_core.cli.arguments import BadInput, number


def add_judge_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--judge", action="store_true", help="ask a vision-language model whether what is kept is realistic")
    parser.add_argument("--judge-model", metavar="MODEL", help="the same, one on this machine: transformers folder or Hub name")
    parser.add_argument("--judge-device", metavar="DEVICE", help="where --judge-model runs (default: a GPU where there is one)")
    parser.add_argument("--price", metavar="IN,OUT", help="of the judge, dollars for a million tokens in and out")
    parser.add_argument("--budget", type=number(0, 1e9), help="dollars for the judge in this folder; needs --price")


def find_judge(arguments: argparse.Namespace):
    """The judge and its price, or None. Raises BadInput, JudgeError."""
    wanted = arguments.judge or arguments.judge_model
    if not wanted and (arguments.price or arguments.budget is not None):
        raise BadInput("got --price and --budget without --judge: give it too, or neither")
    if arguments.judge_device and not arguments.judge_model:
        raise BadInput("got --judge-device without --judge-model: give both or neither")
    if not wanted:
        return None
    from puppetmaster_core.curation.judge import Judge
    from puppetmaster_core.curation.judging import Price

    try:
        price = Price(*(number(0, 1e9)(part) for part in arguments.price.split(","))) if arguments.price else Price()
    except (TypeError, argparse.ArgumentTypeError):
        raise BadInput(f"got --price {arguments.price!r}, expected two numbers such as 2.5,10") from None
    if arguments.budget is not None and not arguments.price:
        raise BadInput("got --budget without --price: say what a million tokens cost")
    if not arguments.judge_model:
        return Judge.from_environment(), price
    from puppetmaster_core.curation.local_judge import LocalJudge

    return LocalJudge.load(arguments.judge_model, arguments.judge_device), price


def ask_judge(job, forest, judge, arguments: argparse.Namespace):
    """Ask about what the forest kept of this rank's share."""
    from tqdm import tqdm

    from puppetmaster_core.curation.judging import Judging
    from puppetmaster_core.curation.verdicts import forest_verdicts, kept
    from puppetmaster_core.jobs import WORKERS

    judging = Judging(job.folder, *judge)
    own = range(arguments.rank, len(job.plan.parts), arguments.world_size)
    rows = list(kept(forest_verdicts(job, own, forest)).values())
    for name, error in judging.draw(rows, job.plan.source, job.plan.picture_size, workers=arguments.workers or WORKERS,
                                    time_limit=arguments.time_limit, memory_gb=arguments.memory):
        print(f"{name}: not drawn: {error}", file=sys.stderr)
    judging.ask(tqdm([judging.strip(row) for row in rows], desc="judging", file=sys.stderr), arguments.budget, arguments.retry)
    return judging
