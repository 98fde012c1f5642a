"""`puppetmaster …`: one file per command.

A command's module has a docstring with an example, HELP (one line), add_arguments(parser) and run(arguments), which gives its
report, for --json, and the same as text; or None where it has printed all itself. It imports PyTorch only inside `run`, once the
arguments are known to be good. What a user can mend, an exception class of this package or a file that the system refuses,
becomes exit code 2 and one line.
"""

from __future__ import annotations

import argparse
import errno
import json
import sys
from importlib import import_module

from puppetmaster_core import __version__
from puppetmaster_core.cli.arguments import add_command

FULL = (errno.ENOSPC, errno.EDQUOT)
COMMANDS = ("animate", "assets", "render", "train", "curate", "forest", "evaluate", "claims", "solvers", "bench", "reproduce")


class _Parser(argparse.ArgumentParser):
    """argparse, but an error is one line."""

    def error(self, message: str):
        self.exit(2, f"{self.prog}: error: {message} ({self.prog} --help explains)\n")


def parser() -> argparse.ArgumentParser:
    """The parser of all commands; `run` of its result is the command's function."""
    main_parser = _Parser(prog="puppetmaster", description="Drag a part of a picture and see it move.")
    main_parser.add_argument("--version", action="version", version=f"puppetmaster {__version__}")
    commands = main_parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in COMMANDS:
        add_command(commands, name, import_module(f"{__name__}.{name}"))
    return main_parser


def main(words: list[str] | None = None) -> int:
    """Run a command; returns the exit code: 0, 2 for bad input, 130 when interrupted."""
    arguments = parser().parse_args(words)
    try:
        if shown := arguments.run(arguments):
            report, text = shown
            print(json.dumps(report, ensure_ascii=False) if arguments.json else text)
        return 0
    except KeyboardInterrupt:
        print(f"\n{arguments.prog}: interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        if (message := refusal(error)) is None:
            raise
        line = " ".join(message.splitlines())  # names of files may hold anything
        print(f"{arguments.prog}: error: {line}", file=sys.stderr)
        return 2


def refusal(error: Exception) -> str | None:
    """What is wrong, where a user can mend it; None for a mistake of ours, whose traceback is wanted."""
    if isinstance(error, OSError) and error.errno in FULL:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}the disk is full ({error.strerror}): make room and start again"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: cannot be read or written ({error.strerror}): choose another place"
    if isinstance(error, FloatingPointError | ConnectionError):  # weights that make numbers that are none; Ray that cannot start
        return str(error)
    ours = any(base.__module__.startswith("puppetmaster_core.") for base in type(error).__mro__)
    return str(error) if ours else None
