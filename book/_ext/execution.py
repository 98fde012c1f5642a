"""Running the book's notebooks with papermill: what is run again, what is kept, and a summary of how it went.

A run is kept under a key made from the notebook, its parameters and everything else its outcome depends on: the package, what
chapters share, the locked versions, the results. So nothing is run twice, and nothing that is out of date is shown. A log for
each notebook and the last summary lie beside the executed copies.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import nbformat
import papermill
import yaml
from papermill.exceptions import PapermillExecutionError

from pairs import KERNEL, PROSE, notebook_of, texts
from puppetmaster_core.files import whole_file, write_json
from sources import CORE

OUT = Path("build/book")
SUMMARY = "summary.json"


@dataclass(frozen=True)
class Execution:
    """How one notebook went."""

    notebook: str  # NN_topic
    title: str
    scale: str  # what its first cell says of the scale
    parameters: dict  # what differs from CI size
    passed: bool
    seconds: float  # of the run that is shown, also where it was kept from an earlier one
    error: str = ""  # the exception, in a line


def plan(root: Path) -> tuple[dict[str, dict], list[str]]:
    """What `book/parameters.yml` changes in each notebook's parameters cell, and what is wrong with it, a line each."""
    changes = yaml.safe_load((root / PROSE / "parameters.yml").read_text()) or {}
    stems = [text.stem for text in texts(root)]
    found = [f"book/parameters.yml names {stem}, no such notebook" for stem in changes if stem not in stems]
    for text in texts(root):
        known = set(papermill.inspect_notebook(str(notebook_of(text))))
        if unknown := sorted(changes.get(text.stem, {}).keys() - known):
            found.append(f"book/parameters.yml sets {', '.join(unknown)}, which {text.stem} does not have")
    return {stem: changes.get(stem, {}) for stem in stems}, found


def run(root: Path, out: Path | None = None, parameters: dict[str, dict] | None = None,
        workers: int = 1) -> tuple[list[Path], list[str]]:
    """Run every notebook; the executed copies, and what went wrong, a line each.

    out: where to, build/book if not given. parameters: of each notebook, those of `plan` (laptop scale) if not given.
    workers: notebooks at a time, each of them in a process of its own; what they measure of time is then no good.

    A copy whose key is that of the last run is kept. A notebook that fails leaves NN_topic.failed.ipynb to read and does not
    stop the others.
    """
    found: list[str] = []
    if parameters is None:
        parameters, found = plan(root)
    if found:
        return [], found
    out, surroundings = out or root / OUT, digest(root)
    for folder in ("notebooks", "logs"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    done: list[Execution] = []
    jobs = [(notebook_of(text), parameters[text.stem], surroundings, out) for text in texts(root)]
    for one in _each(jobs, workers):
        done.append(one)
        write_summary(out, sorted(done, key=lambda e: e.notebook))  # after each, so that a run which is stopped has one as well
    done.sort(key=lambda e: e.notebook)
    failed = [f"{one.notebook}.ipynb failed, see {out.relative_to(root) / 'notebooks' / one.notebook}.failed.ipynb: {one.error}"
              for one in done if not one.passed]
    return [out / "notebooks" / f"{one.notebook}.ipynb" for one in done], failed


def _each(jobs: list[tuple], workers: int) -> Iterator[Execution]:
    """How each of the jobs, arguments of `run_one`, went, as they end."""
    if workers == 1:
        yield from (run_one(*job) for job in jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from (one.result() for one in as_completed([pool.submit(run_one, *job) for job in jobs]))


def run_one(path: Path, parameters: dict, surroundings: str, out: Path) -> Execution:
    """Run one notebook, or keep the copy that was made from the same; its output goes to a log of its own too."""
    key = hashlib.sha256(path.read_bytes() + json.dumps([parameters, surroundings], sort_keys=True).encode()).hexdigest()
    log, failed = out / "logs" / f"{path.stem}.log", out / "notebooks" / f"{path.stem}.failed.ipynb"
    target = out / "notebooks" / path.name
    about = {"notebook": path.stem, "parameters": parameters, **_said(nbformat.read(path, as_version=4))}
    if (kept := _made_from(target)) and kept["key"] == key:
        print(f"{path.name}: unchanged since it was last run")
        return Execution(**about, passed=True, seconds=kept["seconds"])
    print(f"{path.name}: running", flush=True)
    began = time.monotonic()
    with log.open("w", encoding="utf-8") as written:
        try:
            notebook = papermill.execute_notebook(
                str(path), str(failed), parameters, kernel_name="python3", cwd=str(path.parent), progress_bar=False,
                stdout_file=written, stderr_file=written,
            )
        except PapermillExecutionError as error:
            written.write(re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback)) + "\n")
            seconds = time.monotonic() - began
            return Execution(**about, passed=False, seconds=seconds, error=f"{error.ename}: {error.evalue}")
    seconds = time.monotonic() - began
    failed.unlink()
    widgets = {"widgets": notebook.metadata.widgets} if "widgets" in notebook.metadata else {}  # their state, for the page
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "made_from": {"key": key, "seconds": seconds}} | widgets)
    with whole_file(target) as partial:
        partial.write_text(nbformat.writes(notebook))
    return Execution(**about, passed=True, seconds=seconds)


def digest(root: Path, *more: Path) -> str:
    """Of everything beside its own cells that a notebook's outcome depends on, and of all files in `more` folders."""
    whole = hashlib.sha256()
    places = {CORE: "**/*", root / "notebooks" / "lib": "**/*", root / "data_cards": "**/*.py", root / "results": "*.json",
              root: "requirements.lock", **dict.fromkeys(more, "**/*")}
    for folder, pattern in places.items():
        files = (path for path in folder.glob(pattern) if path.is_file() and "__pycache__" not in path.parts)
        for path in sorted(files):
            name = path.relative_to(folder).as_posix()
            whole.update(f"{folder.name}/{name}".encode() + hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def _made_from(target: Path) -> dict | None:
    """Key and seconds of an executed copy, None where there is none or it is of an older kind."""
    if not target.exists():
        return None
    made_from = nbformat.read(target, as_version=4).metadata.get("made_from")
    return made_from if isinstance(made_from, dict) else None


def _said(notebook: nbformat.NotebookNode) -> dict:
    """Title and scale, as a notebook's first cell has them."""
    first = notebook.cells[0].source
    scale = re.search(r"\*\*Scale:\*\*\s*([^.,;]+)", first)
    return {"title": first.splitlines()[0].removeprefix("# "), "scale": " ".join(scale[1].split()) if scale else "–"}


def write_summary(out: Path, done: Iterable[Execution]) -> None:
    """Write how the notebooks went into `out`."""
    write_json(out / SUMMARY, [asdict(one) for one in done])


def summary_table(root: Path) -> str:
    """The last run in Markdown, a row a notebook."""
    path = root / OUT / SUMMARY
    done = [Execution(**one) for one in json.loads(path.read_text(encoding="utf-8"))] if path.exists() else []
    if not done:
        return "Nothing was run."
    lines = ["| chapter | result | seconds | changed from CI size | scale |", "|---|---|--:|---|---|"]
    for one in done:
        changed = ", ".join(f"`{name}={value!r}`" for name, value in one.parameters.items()) or "–"
        result = "passed" if one.passed else "failed: " + one.error.replace("|", "\\|")
        chapter = f"[{one.title}](notebooks/{one.notebook}.ipynb)"
        lines.append(f"| {chapter} | {result} | {one.seconds:.0f} | {changed} | {one.scale} |")
    total = sum(one.seconds for one in done)
    return "\n".join([*lines, f"| **all {len(done)}** | {sum(one.passed for one in done)} passed | {total:.0f} | | |"])
