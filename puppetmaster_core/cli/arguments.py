"""What several commands ask of their arguments."""

from __future__ import annotations

import argparse
import gc
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from puppetmaster_core.isolation import stderr_to


class BadInput(ValueError):
    """Input a command cannot use. The message is one line: what it got, what it expected, what to do."""


def whole(least: int, most: int) -> Callable[[str], int]:
    """An argparse type: a whole number from `least` to `most`."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"got {text!r}, expected a whole number from {least} to {most}")
        return value

    return parse


def number(least: float, most: float) -> Callable[[str], float]:
    """An argparse type: a number from `least` to `most`."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"got {text!r}, expected a number from {least:g} to {most:g}")
        return value

    return parse


@contextmanager
def quick_start() -> Iterator[None]:
    """For the heavy imports of a command that lives for seconds: no garbage collection, now or of them later.

    It saves about a third of the time they take, ending included. Threads do not spin while they wait, which takes three
    times as long where something else is running.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when PyTorch is imported
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def silent_libraries() -> Iterator[None]:
    """For opening files: libtiff and its like print to stderr what is said in one line anyway."""
    with open(os.devnull, "w") as nowhere, stderr_to(nowhere):
        yield
