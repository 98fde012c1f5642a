"""Binding the book: prose and executed notebooks gathered in one folder, blocks filled in, made into pages by Jupyter Book.

What a page cannot know when it is written stands in it as a block, `{modules}`, `{equation}`, `{executions}` (and the ledger's
`{claims}`), and is filled in here. No page loads anything from the network.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path

import nbformat

import api
import data_cards
import equations
import execution
import ledger_roles
from links import launch_line, repository
from pairs import PROSE

BLOCK = re.compile(r"^```\{(modules|equation|executions|alive)\}[ \t]*([^\n]*)\n```[ \t]*$", re.M)
MODEL = "puppetmaster.js"  # page_model/js/page.js asks for it
TO_PROSE = re.compile(r"\]\(\.\./book/([^)\s]+)\)")  # a notebook's link to a page of the prose


def bind(root: Path, executed: Iterable[Path]) -> Path:
    """Make the pages and return the folder they are in. Raises `subprocess.CalledProcessError` where Jupyter Book warns, and
    LedgerError for a claim the ledger lacks."""
    pages, fresh = root / execution.OUT / "pages", root / execution.OUT / "pages.partial"
    gather(root, executed, fresh)
    replace_changed(fresh, pages)
    command = [Path(sys.executable).with_name("jupyter-book"), "build", pages, "--path-output", root / execution.OUT]
    subprocess.run([*map(str, command), "-W", "--keep-going", "--quiet"], check=True)
    html = root / execution.OUT / "_build" / "html"
    drop_repeated_scripts(html)
    return html


def gather(root: Path, executed: Iterable[Path], pages: Path) -> None:
    """All that Jupyter Book binds, in a new folder `pages`, with every block filled in."""
    shutil.rmtree(pages, ignore_errors=True)
    shutil.copytree(root / PROSE, pages, ignore=shutil.ignore_patterns("__pycache__"))
    (pages / "notebooks").mkdir(exist_ok=True)
    for path in executed:
        shutil.copy2(path, pages / "notebooks")
    if (root / data_cards.CARDS).exists():
        shutil.copytree(root / data_cards.CARDS, pages / data_cards.CARDS, ignore=shutil.ignore_patterns("*.json", "*.py*"))
    ledger_roles.fill_pages(pages, root)
    fill_pages(pages, root)
    shutil.copy2(mathjax(), pages / "scripts")
    bring_model(root, pages)


def replace_changed(fresh: Path, pages: Path) -> None:
    """Make `pages` hold what `fresh` does, which goes. Files that are the same keep their times, so their pages are kept too."""
    wanted = {path.relative_to(fresh) for path in fresh.rglob("*") if path.is_file()}
    for path in [path for path in pages.rglob("*") if path.is_file()] if pages.exists() else []:
        if path.relative_to(pages) not in wanted:
            path.unlink()
    for name in wanted:
        old, new = pages / name, fresh / name
        if not old.exists() or old.read_bytes() != new.read_bytes():
            old.parent.mkdir(parents=True, exist_ok=True)
            os.utime(new)
            os.replace(new, old)
    shutil.rmtree(fresh)


def fill_pages(pages: Path, root: Path) -> None:
    """Fill the blocks of the prose, and make the executed notebooks pages: links, a line that launches them, alt texts."""
    reference = api.pages(root)
    fillers: dict[str, Callable[[str, str], str]] = {
        "modules": lambda words, page: api.modules_block(reference[page]),
        "equation": lambda label, page: equations.block(label, root),
        "executions": lambda words, page: execution.summary_table(root),
        "alive": lambda words, page: alive(root, words),
    }
    for page in sorted(pages.rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        filled = BLOCK.sub(lambda found, page=page: fillers[found[1]](found[2].strip(), page.stem), text)
        if filled != text:
            page.write_text(filled, encoding="utf-8")
    where = repository(root)
    for path in sorted((pages / "notebooks").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        describe_pictures(notebook)
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = TO_PROSE.sub(_page_link, cell.source)
        if where:
            notebook.cells[0].source += "\n\n" + launch_line(where, path.name)
        path.write_text(nbformat.writes(notebook), encoding="utf-8")


def alive(root: Path, words: str) -> str:
    """A figure that can be dragged: of a picture and its drags. Pictures of class pm-still on the page make room for it."""
    from ipywidgets.embed import embed_data

    from puppetmaster_core.drags import Drags
    from puppetmaster_core.editor import DragEditor

    picture, drags = words.split()
    figure = DragEditor(root / picture, Drags.from_json(root / drags), plain=True)
    state = embed_data(views=[figure], drop_defaults=False)["manager_state"]
    scripts = {"state": state, "view": {"version_major": 2, "version_minor": 0, "model_id": figure.model_id}}
    texts = {kind: json.dumps(told).replace("</", "<\\/") for kind, told in scripts.items()}
    tags = [f'<script type="application/vnd.jupyter.widget-{kind}+json">{text}</script>' for kind, text in texts.items()]
    return "\n".join(["```{raw} html", *tags, '<script defer src="_static/widgets.js"></script>', "```"])


def bring_model(root: Path, pages: Path) -> None:
    """Write the shipped model beside pages that have an editor; one of picture latents is too large for a page."""
    import page_model
    from puppetmaster_core import PuppetMasterPipeline

    texts = (page.read_text(encoding="utf-8") for kind in ("md", "ipynb") for page in pages.rglob(f"*.{kind}"))
    if not any('.DragEditor"' in text for text in texts):  # the end of a widget's _anywidget_id
        return
    key = execution.digest(root, Path(page_model.__file__).parent)
    made = root / execution.OUT / f"{key[:16]}.{MODEL}"  # kept: making it takes as long as a chapter
    if not made.exists():
        try:
            page_model.write_script(PuppetMasterPipeline.from_pretrained("tiny"), made)
        except page_model.PageModelError:
            return
    shutil.copy2(made, pages / "scripts" / MODEL)
    widgets = pages / "scripts" / "widgets.js"
    widgets.write_text(page_model.page_script() + widgets.read_text(encoding="utf-8"), encoding="utf-8")


def _page_link(found: re.Match) -> str:
    """A link from one page to another or to a place in it, as MyST has it."""
    page, _, place = found[1].partition("#")
    return f"](#{place})" if place else f"](../{page})"


def describe_pictures(notebook: nbformat.NotebookNode) -> None:
    """Give every picture that a cell shows an alternative text, unless it has one: the last words above it.

    In this book they say what to look at. A cell has another one with tags as in # %% mystnb={"image": {"alt": "…"}}.
    """
    above = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            paragraphs = [part for part in re.split(r"\n\s*\n", cell.source) if part.strip() and not part.startswith("$$")]
            words = re.sub(r"\[([^]]*)\]\([^)]*\)|[*`#$|]", lambda found: found[1] or "", paragraphs[-1] if paragraphs else "")
            above = " ".join(words.split())[:300] or above
        elif any("image/png" in output.get("data", {}) for output in cell.get("outputs", ())):
            image = cell.metadata.setdefault("mystnb", {}).setdefault("image", {})
            image.setdefault("alt", above or "a figure")


def mathjax() -> Path:
    """MathJax 3 in one script. The package that brings it is a Sphinx extension whose name no import statement can
    spell; used as one it would choose the build with web fonts, which browsers refuse to load from a file."""
    package = find_spec("sphinx-mathjax-offline")
    if package is None:
        raise ModuleNotFoundError("MathJax is missing: pip install sphinx-mathjax-offline, or `make setup`")
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
