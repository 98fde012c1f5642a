"""Write the test inputs in the form that another method's public code reads. Its videos then make a row of Table 1.

OUTPUT/METHOD/inputs/ gets the pictures and drags, padded as the paper's App. C.2 says, and OUTPUT/METHOD/method.json how the
videos are brought back. Put the method's videos at OUTPUT/METHOD/CLIP.mp4 or .gif, then: puppetmaster evaluate --methods OUTPUT.

example:
  puppetmaster export dragnuwa --data drag_a_move --output others
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from puppetmaster_core.cli.arguments import check_folder, check_new, whole

HELP = "write the test inputs for another method"
METHODS = ("dragnuwa", "draganything", "image_conductor", "dragapart", "wan_move", "ati")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("method", choices=METHODS)
    add("--data", type=Path, required=True, metavar="FOLDER", help="the clips, as for puppetmaster evaluate")
    add("--output", type=Path, required=True, metavar="FOLDER", help="gets METHOD/")
    add("--clips", type=whole(1, 100_000), help="how many (default: all)")
    add("--prompt", help="for methods that want a text (default: the paper's for this data, or none)")


def run(arguments: argparse.Namespace) -> tuple[dict, str]:
    from tqdm import tqdm

    from puppetmaster_core.evaluation.exports import PROMPTS, export
    from puppetmaster_core.evaluation.suites import open_suite

    folder = arguments.output / arguments.method
    check_folder(folder)
    if (folder / "inputs").exists():
        check_new(folder / "inputs")
    suite = open_suite(arguments.data).first(arguments.clips)

    def readable():
        for name, clip in tqdm(suite, total=len(suite), desc=arguments.method):
            if isinstance(clip, str):
                tqdm.write(f"left out: {name}: {clip}", file=sys.stderr)
            else:
                yield clip

    prompt = PROMPTS.get(suite.name, "") if arguments.prompt is None else arguments.prompt
    count = export(arguments.method, readable(), folder, prompt)
    return {"clips": count}, f"{count} clips in {folder / 'inputs'}"
