"""`puppetmaster …`: one file per command.

A command's module has HELP (one line), add_arguments(parser) and run(arguments), and imports PyTorch only inside `run`,
once the arguments are known to be good. On bad input `run` raises BadInput, which becomes exit code 2 and one line.
"""

from __future__ import annotations

import argparse
import errno
import sys
from importlib import import_module

from puppetmaster_core import __version__
from puppetmaster_core.cli.arguments import BadInput

FULL = (errno.ENOSPC, errno.EDQUOT)
COMMANDS = ("animate", "assets", "render", "train", "curate", "forest", "evaluate", "export", "claims", "solvers", "bench",
            "reproduce")


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
        module = import_module(f"{__name__}.{name}")
        command = commands.add_parser(
            name, help=module.HELP, description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run, prog=command.prog)
    return main_parser


def main(words: list[str] | None = None) -> int:
    """Run a command; returns the exit code: 0, 2 for bad input, 130 when interrupted."""
    arguments = parser().parse_args(words)
    try:
        arguments.run(arguments)
    except BadInput as error:
        line = " ".join(str(error).splitlines())  # names of files may hold anything
        print(f"{arguments.prog}: error: {line}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in FULL:
            raise
        place = f"{error.filename}: " if error.filename else ""
        print(f"{arguments.prog}: error: {place}the disk is full ({error.strerror}): make room and start again", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\n{arguments.prog}: interrupted", file=sys.stderr)
        return 130
    return 0
