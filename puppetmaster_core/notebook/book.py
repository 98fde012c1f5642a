"""The book's machinery: notebooks paired with their text, run headless, bound with the prose.

    python -m puppetmaster_core.notebook.book check | sync | run | build

A notebook lives twice: `notebooks/src/NN_topic.py` (py:percent) is what people review and what is believed;
`notebooks/NN_topic.ipynb`, without outputs, is what people open. Everything here needs the extras `notebooks` and `book`.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import jupytext
import nbformat
import papermill
import yaml
from jupytext.compare import NotebookDifference, compare_notebooks
from papermill.exceptions import PapermillExecutionError

from puppetmaster_core.files import whole_file
from puppetmaster_core.notebook import claims, data_cards

PROSE, NOTEBOOKS, OUT = Path("book"), Path("notebooks"), Path("build/book")
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


class BookError(Exception):
    """What is wrong with the book, one line each."""

    def __init__(self, lines: list[str]):
        super().__init__("\n".join(lines))


def texts(root: Path) -> list[Path]:
    return sorted((root / NOTEBOOKS / "src").glob("*.py"))


def notebook_of(text: Path) -> Path:
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


# ---- pairs -----------------------------------------------------------------------------------------------------------


def pair_problems(root: Path) -> list[str]:
    """Where a notebook and its text disagree, by content and never by file times."""
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
    """What every notebook must have: its place in the contents, one level-1 title first, then a parameters cell."""
    contents = yaml.safe_load((root / PROSE / "_toc.yml").read_text())
    listed = {Path(page).stem for page in _pages(contents) if page.startswith("notebooks/")}
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
        if text.stem not in listed:
            found.append(f"{text.name} is not in book/_toc.yml: add `- file: notebooks/{text.stem}`")
    return found


def _pages(contents) -> list[str]:
    if isinstance(contents, dict):
        own = [contents[key] for key in ("file", "root") if key in contents]
        return own + [page for value in contents.values() for page in _pages(value)]
    return [page for value in contents for page in _pages(value)] if isinstance(contents, list) else []


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


# ---- running and binding ---------------------------------------------------------------------------------------------


def run(root: Path) -> list[Path]:
    """Run every notebook with papermill at laptop scale: `book/parameters.yml` says what changes from the defaults.

    A copy whose notebook, parameters, locked versions and core are those of the last run is kept. A notebook that
    fails leaves NN_topic.failed.ipynb to read and does not stop the others; BookError names it at the end.
    """
    changes = yaml.safe_load((root / PROSE / "parameters.yml").read_text()) or {}
    found = [f"book/parameters.yml names {stem}, no such notebook" for stem in set(changes) - {t.stem for t in texts(root)}]
    executed, core = [], _digest(root)
    out = root / OUT / "notebooks"
    out.mkdir(parents=True, exist_ok=True)
    for text in texts(root):
        path, parameters = notebook_of(text), changes.get(text.stem, {})
        unknown = sorted(set(parameters) - set(papermill.inspect_notebook(str(path))))
        if unknown:
            found.append(f"book/parameters.yml sets {', '.join(unknown)}, which {text.stem} does not have")
            continue
        key = hashlib.sha256(path.read_bytes() + json.dumps([parameters, core], sort_keys=True).encode()).hexdigest()
        target, failed = out / path.name, out / f"{text.stem}.failed.ipynb"
        executed.append(target)
        if target.exists() and nbformat.read(target, as_version=4).metadata.get("made_from") == key:
            print(f"{path.name}: unchanged since it was last run")
            continue
        print(f"{path.name}: running", flush=True)
        try:
            notebook = papermill.execute_notebook(
                str(path), str(failed), parameters, kernel_name="python3", cwd=str(path.parent), progress_bar=False
            )
        except PapermillExecutionError as error:
            found.append(f"{path.name} failed, see {failed.relative_to(root)}: {error.ename}: {error.evalue}")
            continue
        failed.unlink()
        widgets = {"widgets": notebook.metadata.widgets} if "widgets" in notebook.metadata else {}  # their state, for the page
        notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "made_from": key} | widgets)
        with whole_file(target) as partial:
            partial.write_text(nbformat.writes(notebook))
    if found:
        raise BookError(found)
    return executed


def _digest(root: Path) -> str:
    """Of everything beside its own cells that a notebook's outcome depends on."""
    core = Path(__file__).parents[1]
    files = [p for p in core.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    digest = hashlib.sha256()
    for path in [*sorted(files), root / "requirements.lock"]:
        if path.exists():
            digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def build(root: Path) -> Path:
    """Bind the prose and the executed notebooks into pages that load nothing from the network."""
    executed, pages = run(root), root / OUT / "pages"
    shutil.rmtree(pages, ignore_errors=True)
    shutil.copytree(root / PROSE, pages)
    (pages / "notebooks").mkdir(exist_ok=True)
    for path in executed:
        shutil.copy2(path, pages / "notebooks")
    if (root / data_cards.CARDS).exists():
        shutil.copytree(root / data_cards.CARDS, pages / data_cards.CARDS, ignore=shutil.ignore_patterns("*.json"))
    claims.fill_pages(pages, root)
    (pages / "scripts").mkdir()  # not _static: whatever is there, Jupyter Book loads on every page
    shutil.copy2(mathjax(), pages / "scripts")
    shutil.copy2(Path(__file__).parent / "js" / "static.js", pages / "scripts" / "widgets.js")
    command = [Path(sys.executable).with_name("jupyter-book"), "build", pages, "--path-output", root / OUT]
    if subprocess.run([*map(str, command), "-W", "--keep-going", "--quiet"]).returncode:
        raise BookError(["jupyter-book stopped: its messages are above"])
    html = root / OUT / "_build" / "html"
    drop_repeated_scripts(html)
    if found := network_requests(html):
        raise BookError(found)
    return html / "index.html"


def mathjax() -> Path:
    """MathJax 3 in one script. The package that brings it is a Sphinx extension whose name no import statement can
    spell; used as one it would choose the build with web fonts, which browsers refuse to load from a file."""
    package = find_spec("sphinx-mathjax-offline")
    if package is None:
        raise BookError(["MathJax is missing: pip install sphinx-mathjax-offline, or `make setup`"])
    return Path(package.origin).parent / "static" / "mathjax" / "tex-svg-full.js"


def drop_repeated_scripts(html: Path) -> None:
    """Sphinx's extensions are asked twice for their scripts, and a second `const` of one name is an error on the page."""
    for page in html.rglob("*.html"):
        seen: set[str] = set()
        lines = page.read_text().splitlines(keepends=True)
        kept = [line for line in lines if not (re.match(r" *<script>.*</script>$", line) and (line in seen or seen.add(line)))]
        page.write_text("".join(kept))


def network_requests(html: Path) -> list[str]:
    """Scripts, styles, fonts and pictures that a page would fetch from elsewhere when it is opened."""
    outside = r"\b[^>]*\b{}=\"((?:https?:)?//[^\"]+)"
    loads = re.compile(r"<(?:script|img|iframe|video|source)" + outside.format("src") + "|<link" + outside.format("href"))
    return [
        f"{page.relative_to(html)} loads {one or other} from the network"
        for page in sorted(html.rglob("*.html"))
        for one, other in loads.findall(page.read_text())
    ]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m puppetmaster_core.notebook.book", description=__doc__)
    parser.add_argument("what", choices=["check", "sync", "run", "build"])
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="the checkout (default: here)")
    options = parser.parse_args(argv)
    root = options.root.resolve()
    os.environ.setdefault("TQDM_DISABLE", "1")  # a progress bar is noise on a page
    try:
        checks = (pair_problems, form_problems, data_cards.problems, claims.problems)
        if options.what != "sync" and (found := [line for check in checks for line in check(root)]):
            raise BookError(found)
        if options.what == "sync":
            for path in sync(root) + data_cards.sync(root):
                print(f"wrote {path.relative_to(root)}")
        elif options.what == "run":
            run(root)
        elif options.what == "build":
            print(f"the book: {build(root).relative_to(root)}")
    except (BookError, claims.LedgerError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
