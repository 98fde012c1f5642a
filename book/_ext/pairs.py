"""Notebooks and their texts: `notebooks/src/NN_topic.py` (py:percent) is believed, `notebooks/NN_topic.ipynb` made from it.

What disagrees or lacks its form is found here, by content and never by file times.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import jupytext
import nbformat
import yaml
from jupytext.compare import NotebookDifference, compare_notebooks

from puppetmaster_core.files import whole_file

PROSE, NOTEBOOKS = Path("book"), Path("notebooks")
COLUMNS = 88  # of a code cell that a page shows whole, in a window of 1,300 pixels
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def texts(root: Path) -> list[Path]:
    """The texts of the checkout at `root`, in order."""
    return sorted((root / NOTEBOOKS / "src").glob("*.py"))


def notebook_of(text: Path) -> Path:
    """Where the notebook of a text is."""
    return text.parent.parent / f"{text.stem}.ipynb"


def from_text(text: Path) -> nbformat.NotebookNode:
    """The notebook a text stands for: no outputs, and cell ids made from what the cells say, so the same text always
    gives the same bytes and an edit changes one cell."""
    notebook = jupytext.read(text)
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        said = f"{cell.cell_type}\n{cell.source}"
        seen[said] = seen.get(said, 0) + 1
        cell.id = hashlib.sha256(f"{seen[said]}\n{said}".encode()).hexdigest()[:8]
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def sync(root: Path) -> list[Path]:
    """Write each notebook that differs from its text; returns what was written."""
    written = []
    for text in texts(root):
        path, wanted = notebook_of(text), nbformat.writes(from_text(text)) + "\n"
        if not path.exists() or path.read_text() != wanted:
            with whole_file(path) as partial:
                partial.write_text(wanted)
            written.append(path)
    return written


def pair_problems(root: Path) -> list[str]:
    """Where a notebook and its text disagree."""
    found = []
    for text in texts(root):
        path = notebook_of(text)
        if not path.exists():
            found.append(f"{path.name} is missing: run `make sync`")
            continue
        notebook = nbformat.read(path, as_version=4)
        if any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells):
            found.append(f"{path.name} holds outputs: run `make sync`")
        try:
            compare_notebooks(notebook, from_text(text), fmt="py:percent")
        except NotebookDifference as difference:
            line = str(difference).strip().splitlines()[0]
            found.append(f"{path.name} differs from src/{text.name}: run `make sync` ({line})")
    paired = {text.stem for text in texts(root)}
    for path in sorted((root / NOTEBOOKS).glob("*.ipynb")):
        if path.stem not in paired:
            found.append(f"{path.name} has no text: run `jupytext --sync notebooks/{path.name}` once")
    return found


def form_problems(root: Path) -> list[str]:
    """What every notebook must have: its place in the contents, one level-1 title first, then a parameters cell, and no line of
    code that a page would cut."""
    contents = yaml.safe_load((root / PROSE / "_toc.yml").read_text())
    listed = {Path(page).stem for page in pages_of(contents) if page.startswith("notebooks/")}
    found = [f"book/_toc.yml lists notebooks/{stem}, which is missing" for stem in listed - {t.stem for t in texts(root)}]
    for text in texts(root):
        cells = from_text(text).cells
        prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        titles = len(re.findall(r"^# \S", re.sub(r"^```.*?^```", "", prose, flags=re.M | re.S), re.M))
        if titles != 1 or not cells[0].source.startswith("# "):
            found.append(f"{text.name}: {titles} level-1 titles, wanted one, at the top of the first cell")
        code = next((cell for cell in cells if cell.cell_type == "code"), None)
        if code is None or "parameters" not in code.metadata.get("tags", []):
            found.append(f'{text.name}: the first code cell needs tags=["parameters"]')
        found += [f"{text.name}: a line of code with {len(line)} columns, a page of the book cuts it after {COLUMNS}: "
                  f"{line.strip()[:40]} …" for line in _lines_of_code(cells) if len(line) > COLUMNS]
        if text.stem not in listed:
            found.append(f"{text.name} is not in book/_toc.yml: add `- file: notebooks/{text.stem}`")
    return found


def _lines_of_code(cells) -> list[str]:
    return [line for cell in cells if cell.cell_type == "code" for line in cell.source.splitlines()]


def pages_of(contents) -> list[str]:
    """Every page that a parsed _toc.yml, or a piece of one, lists."""
    if isinstance(contents, dict):
        own = [contents[key] for key in ("file", "root") if key in contents]
        return own + [page for value in contents.values() for page in pages_of(value)]
    return [page for value in contents for page in pages_of(value)] if isinstance(contents, list) else []
