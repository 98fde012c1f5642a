"""The book's machinery: notebooks paired with their text, run headless, bound with the prose.

    python book/_ext/book.py check | sync | run | build

A notebook lives twice: `notebooks/src/NN_topic.py` (py:percent) is what people review and what is believed;
`notebooks/NN_topic.ipynb`, without outputs, is what people open. Everything here needs the extras `notebooks` and `book`.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import binding
import data_cards
import equations
import execution
import ledger_roles
import pairs

CHECKS = (pairs.pair_problems, pairs.form_problems, data_cards.problems, ledger_roles.problems, equations.problems)


class BookError(Exception):
    """What is wrong with the book, one line each."""

    def __init__(self, lines: list[str]):
        super().__init__("\n".join(lines))


def run(root: Path) -> list[Path]:
    """Run what has changed; the executed notebooks. Raises BookError, which names every notebook that failed."""
    executed, found = execution.run(root)
    if found:
        raise BookError(found)
    return executed


def build(root: Path) -> Path:
    """Run the notebooks and bind the book; its first page. Raises BookError."""
    executed = run(root)
    try:
        html = binding.bind(root, executed)
    except subprocess.CalledProcessError:
        raise BookError(["jupyter-book stopped: its messages are above"]) from None
    except ModuleNotFoundError as missing:
        raise BookError([str(missing)]) from None
    if found := binding.network_requests(html):
        raise BookError(found)
    return html / "index.html"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python book/_ext/book.py", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["check", "sync", "run", "build"])
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="the checkout (default: here)")
    options = parser.parse_args(argv)
    root = options.root.resolve()
    os.environ.setdefault("TQDM_DISABLE", "1")  # a progress bar is noise on a page
    try:
        if options.what != "sync" and (found := [line for check in CHECKS for line in check(root)]):
            raise BookError(found)
        if options.what == "sync":
            for path in pairs.sync(root) + data_cards.sync(root):
                print(f"wrote {path.relative_to(root)}")
        elif options.what == "run":
            run(root)
        elif options.what == "build":
            print(f"the book: {build(root).relative_to(root)}")
    except (BookError, ledger_roles.LedgerError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
