"""Numbers of results in the book: drawn from the ledger by their ids, so that none is typed and none grows old.

On a page or in a notebook's text, {claim}`ID` becomes our figure with its interval and {paper}`ID` the paper's; a block

    ```{claims} PREFIX …
    ```

becomes a table of the claims whose ids begin with one of the prefixes; "run" and "not run" narrow it down. The pages keep these
words; `make book` fills them in. In a notebook's code `claim(id)` and `claims_table(prefix)` of `evaluation.ledger` are the same.
`problems` finds ids that the ledger lacks, and figures that somebody typed.
"""

from __future__ import annotations

import re
from pathlib import Path

from puppetmaster_core.evaluation.ledger import Ledger, LedgerError, claim, claims_table, read_ledger

RESULTS = "results"
ROLE = re.compile(r"\{(claim|paper)\}`([^`\n]+)`")
BLOCK = re.compile(r"^```\{claims\}[ \t]*([^\n]*)\n```[ \t]*$", re.M)
CALL = re.compile(r"""\bclaim\(\s*["']([\w.]+)["']""")
# A figure as results have it: a decimal and one of their units, any number of decibels, or a metric's name and a decimal.
TYPED = re.compile(
    r"(?<![\w.,:])(?:\d+\.\d+\s?(?:dB|px|%|grey levels)|\d+\s?dB|(?:PSNR|SSIM|LPIPS|FVD)[^.\n|]{0,16}?\d+\.\d+)"
)
CODE = re.compile(r"^```.*?^```|`[^`\n]*`|\$[^$\n]*\$|\]\([^)\n]*\)", re.M | re.S)  # and mathematics and links
EXEMPT = "<!-- not a result"  # on the line of a figure that is none: a setting, say, or a count that a test holds


def fill(text: str, claims: Ledger) -> str:
    """A text with its roles and blocks filled in. Raises LedgerError for an id that the ledger lacks."""
    text = BLOCK.sub(lambda found: _block(found[1], claims), text)
    shown = {"claim": lambda one: one.figure, "paper": lambda one: one.paper_figure}
    return ROLE.sub(lambda found: shown[found[1]](claim(found[2], claims)), text)


def _block(words: str, claims: Ledger) -> str:
    """The table that a block's words ask for."""
    narrow, keep = words, lambda one: True
    if words.startswith("not run"):
        narrow, keep = words.removeprefix("not run"), lambda one: one.ours is None
    elif words.split()[:1] == ["run"]:
        narrow, keep = words.removeprefix("run"), lambda one: one.ours is not None
    return claims_table(*narrow.split(), keep=keep, claims=claims)


def typed_figures(text: str) -> list[str]:
    """Lines with a figure that looks like a result's and is typed. That the ledger has the same one today is no excuse."""
    bare = CODE.sub(lambda found: "\n" * found[0].count("\n"), ROLE.sub("", text))
    lines = zip(text.splitlines(), bare.splitlines(), strict=False)
    return [line.strip() for line, rest in lines if TYPED.search(rest) and EXEMPT not in line]


def text_problems(name: str, text: str, claims: Ledger) -> list[str]:
    """What is wrong with the numbers of a page or of a notebook's text."""
    named = [found[2] for found in ROLE.finditer(text)] + CALL.findall(text)
    found = []
    for one in dict.fromkeys(named):
        try:
            claim(one, claims)
        except LedgerError as error:
            found.append(f"{name}: {error}")
    return found + [f"{name} prints a figure that is not drawn from the ledger: {line}" for line in typed_figures(text)]


def problems(root: Path) -> list[str]:
    """What is wrong with the numbers of the checkout's book: pages in book/, and the text and code of its notebooks."""
    try:
        claims = _ledger_of(root)
    except LedgerError as error:
        return [str(error)]
    pages = [*sorted((root / "book").rglob("*.md")), *sorted((root / "notebooks" / "src").glob("*.py"))]
    texts = {str(page.relative_to(root)): page.read_text(encoding="utf-8") for page in pages}
    return [line for name, text in texts.items() for line in text_problems(name, text, claims)]


def _ledger_of(root: Path) -> Ledger:
    """A book without results has an empty ledger: only what it draws from one is missing."""
    return read_ledger(root / RESULTS) if (root / RESULTS / "ledger.json").exists() else {}


def fill_pages(folder: Path, root: Path) -> None:
    """Fill the pages and the notebooks' text of the folder that the book is bound from. Raises LedgerError."""
    import nbformat

    claims = _ledger_of(root)
    for page in sorted(folder.rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        if (filled := fill(text, claims)) != text:
            page.write_text(filled, encoding="utf-8")
    for path in sorted(folder.rglob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        before = [cell.source for cell in notebook.cells]
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = fill(cell.source, claims)
        if before != [cell.source for cell in notebook.cells]:
            path.write_text(nbformat.writes(notebook), encoding="utf-8")
