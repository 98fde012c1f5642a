"""Measure what a saving saves: both ways side by side in one run, with their floating-point operations.

example:
  puppetmaster bench --scale tiny
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from puppetmaster_core.cli.arguments import whole
from puppetmaster_core.presets import PRESETS

HELP = "time and count the network's savings"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scale", choices=sorted(PRESETS), default="tiny", help="the network's size (default: tiny)")
    parser.add_argument("--repeats", type=whole(1, 1000), default=9, help="repetitions, of which the median counts (default: 9)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> None:
    import torch

    from puppetmaster_core.bench import guided_step, table

    device = "cuda" if torch.cuda.is_available() else "cpu"
    rows = guided_step(PRESETS[arguments.scale], arguments.repeats, device)
    if arguments.json:
        print(json.dumps({"device": device, "threads": torch.get_num_threads(), "guided step": [asdict(row) for row in rows]}))
    else:
        print(f"one guided step at scale {arguments.scale}, {device}, {torch.get_num_threads()} threads\n{table(rows)}")
