"""What several commands ask of their arguments, and the model of a command."""

from __future__ import annotations

import argparse
import math
import os
import shlex
import sys
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from puppetmaster_core.files import try_writing
from puppetmaster_core.provenance import commit

MODEL = "a shipped model, a folder, or OWNER/NAME on the hub (default: tiny)"
SEEDS = 2**32  # PyTorch's generator on the CPU takes 32 bits of a seed


class BadInput(ValueError):
    """Input a command cannot use. The message is one line: what it got, what it expected, what to do."""


def add_run(command: argparse.ArgumentParser, run: Callable) -> None:
    """Let a command call `run`, and print its report as text or as JSON."""
    command.set_defaults(run=run, prog=command.prog)
    command.add_argument("--json", action="store_true", help="print what was done or found as JSON")


def _ranged(kind: type, least: float, most: float) -> Callable[[str], float]:
    """An argparse type: a number from `least` to `most`. NaN is none."""

    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            called = f"a whole number from {least} to {most}" if kind is int else f"a number from {least:g} to {most:g}"
            raise argparse.ArgumentTypeError(f"got {text!r}, expected {called}")
        return value

    return parse


whole, number = partial(_ranged, int), partial(_ranged, float)


def check_file(path: Path | None) -> None:
    """Raise BadInput where a file cannot be written at `path`; None is no file."""
    if path is None:
        return
    if path.is_dir():
        raise BadInput(f"{path}: this is a folder, expected a file: choose another name")
    try:
        try_writing(path)
    except OSError as error:
        raise BadInput(f"{path}: cannot be written ({error.strerror}): choose another place") from None


def check_folder(path: Path, what: str = "a folder") -> None:
    """Raise BadInput where `path` is no folder that can be made or written in."""
    if path.exists() and not path.is_dir():
        raise BadInput(f"{path}: this is a file, expected {what}: choose another name")
    nearest = next(place for place in (path, *path.absolute().parents) if place.is_dir())
    if not os.access(nearest, os.W_OK):
        raise BadInput(f"{path}: cannot be written (Permission denied): choose another place")


def need(*packages: str, extra: str = "curation") -> None:
    """Raise BadInput where one of the packages is not installed."""
    if missing := [name for name in packages if find_spec(name) is None]:
        raise BadInput(f"{' and '.join(missing)} is not installed: pip install 'puppetmaster-core[{extra}]'")


def made_now() -> dict:
    """What a result says of how it was made."""
    return {"command": shlex.join(["puppetmaster", *sys.argv[1:]]), "commit": commit()}


def load_pipeline(model: str, quiet: bool = False):
    """The pipeline; on the GPU where there is one, with the network in bfloat16 and pictures in float32. Raises ModelError.

    quiet: its calls show no progress bar.
    """
    import torch

    from puppetmaster_core.pipeline import PuppetMasterPipeline

    pipeline = PuppetMasterPipeline.from_pretrained(model)
    pipeline.set_progress_bar_config(desc="sampling", file=sys.stderr, leave=False, disable=quiet)
    if torch.cuda.is_available():
        pipeline.to("cuda")
        pipeline.unet.to(torch.bfloat16)
    return pipeline
