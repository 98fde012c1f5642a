"""`puppetmaster …`: one file per command.

A command's module has a docstring with an example, HELP (one line), add_arguments(parser) and run(arguments), which gives its
report, for --json; beside it the same as text, where `_as_text` is not good enough; or None where it has printed all itself. It
imports PyTorch only inside `run`, once the arguments are known to be good. What a user can mend, an exception class of this
package or a file that the system refuses, becomes exit code 2 and one line.
"""

from __future__ import annotations

import argparse
import errno
import json
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module

from puppetmaster_core import __version__
from puppetmaster_core.cli.arguments import add_run

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
        module = import_module(f"{__name__}.{name}")
        command = commands.add_parser(name, help=module.HELP, description=module.__doc__,
                                      formatter_class=argparse.RawDescriptionHelpFormatter)
        module.add_arguments(command)
        if hasattr(module, "run"):  # not where a command only has commands of its own
            add_run(command, module.run)
    return main_parser


def main(words: list[str] | None = None) -> int:
    """Run a command; returns the exit code: 0, 2 for bad input, 130 when interrupted."""
    arguments = parser().parse_args(words)
    try:
        if shown := arguments.run(arguments):
            report, text = shown if isinstance(shown, tuple) else (shown, "\n".join(_as_text(shown)))
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


def _as_text(report: Mapping, indent: str = "") -> Iterator[str]:
    """A report in lines: "name: value"; of a long list how long it is, and its first."""
    for name, value in report.items():
        if isinstance(value, Mapping) and any(isinstance(one, Mapping | list) for one in value.values()):
            yield f"{indent}{name}:"
            yield from _as_text(value, indent + "  ")
        elif isinstance(value, list) and value:
            yield f"{indent}{name}: {len(value)}, the first: {_flat(value[0])}"
        else:
            yield f"{indent}{name}: {_flat(value)}"


def _flat(value) -> str:
    """In one line; of several lines of text the first."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_flat(one)}" for name, one in value.items())
    return f"{value:,.6g}" if isinstance(value, float) else str(value).partition("\n")[0]


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
