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

from puppetmaster_core.cli.arguments import BadInput, whole

HELP = "write the test inputs for another method"
METHODS = ("dragnuwa", "draganything", "image_conductor", "dragapart", "wan_move", "ati")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("method", choices=METHODS)
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="the clips, as for puppetmaster evaluate")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="gets METHOD/")
    parser.add_argument("--clips", type=whole(1, 100_000), help="how many (default: all)")
    parser.add_argument("--prompt", help="for methods that want a text (default: the paper's for this data, or none)")


def run(arguments: argparse.Namespace) -> None:
    from puppetmaster_core.drags import DragError
    from puppetmaster_core.evaluation.exports import PROMPTS, export
    from puppetmaster_core.evaluation.suites import open_suite
    from puppetmaster_core.evaluation.videos import VideoError

    damaged = []

    def readable(suite):
        from tqdm import tqdm

        for name, clip in tqdm(suite, total=len(suite), desc=arguments.method):
            if isinstance(clip, str):
                damaged.append(f"{name}: {clip}")
            else:
                yield clip

    folder = arguments.output / arguments.method
    if (folder / "inputs").exists():
        raise BadInput(f"{folder / 'inputs'}: is there already, expected a new place: choose another --output or move it away")
    try:
        suite = open_suite(arguments.data).first(arguments.clips)
        prompt = PROMPTS.get(suite.name, "") if arguments.prompt is None else arguments.prompt
        count = export(arguments.method, readable(suite), folder, prompt)
    except (DragError, VideoError) as error:
        raise BadInput(str(error)) from None
    except OSError as error:
        raise BadInput(f"{folder}: cannot be written ({error.strerror}): choose another place") from None
    for line in damaged:
        print(f"left out: {line}", file=sys.stderr)
    print(f"{count} clips in {folder / 'inputs'}")
