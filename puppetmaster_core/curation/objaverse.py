"""Objaverse, for those with a network: ids, files and licences through its own package, and the paper's published lists.

The package (`pip install 'puppetmaster-core[objaverse]'`) keeps what it downloads in ~/.objaverse; a run's folder gets links.
"""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path

from puppetmaster_core.files import link, whole_file

UID = re.compile(r"[0-9a-f]{32}")
LISTS = {"animation": "objaverse-animation.json", "animation-HQ": "objaverse-animation-HQ.json"}  # the paper's file names
BATCH = 100  # objects asked for at once


class ObjaverseError(ValueError):
    """Ids or downloads that cannot be used. The message is one line."""


def read_ids(path: str | os.PathLike) -> tuple[list[str], list[str]]:
    """A JSON list of ids: those that are Objaverse's, 32 hexadecimal digits, each once in their order; and those that are not.

    Raises ObjaverseError, and OSError where the file cannot be read.
    """
    try:
        ids = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError:
        ids = None
    if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
        raise ObjaverseError(f"{path}: got something else, expected a JSON list of ids as text")
    ids = list(dict.fromkeys(ids))
    return [one for one in ids if UID.fullmatch(one)], [one for one in ids if not UID.fullmatch(one)]


def animated_ids() -> list[str]:
    """Ids of Objaverse's objects with an animation, by its annotations (the paper counts 40,000). Raises ObjaverseError."""
    return sorted(uid for uid, about in _ask("load_annotations").items() if (about.get("animationCount") or 0) > 0)


def download_objects(ids: Sequence[str], folder: Path, progress: Callable[[Iterable], Iterable] = iter) -> tuple[int, list[str]]:
    """Download objects into `folder`, UID.glb each, with a manifest.csv of licence, author and source; goes on where it stopped.

    How many are there, and the ids that could not be had: unknown ones, failed downloads. Raises ObjaverseError, OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lost, rows = [], []
    for start in progress(range(0, len(ids), BATCH)):
        some = ids[start : start + BATCH]
        about = _ask("load_annotations", list(some))
        missing = [uid for uid in some if not (folder / f"{uid}.glb").is_file()]
        lost += _place(missing, folder)
        rows += [_row(uid, about.get(uid, {})) for uid in some if (folder / f"{uid}.glb").is_file()]
    with whole_file(folder / "manifest.csv") as partial, open(partial, "w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, ("file", "licence", "author", "source"), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    return len(rows), lost


def _place(missing: list[str], folder: Path) -> list[str]:
    """Get some objects; the ids that could not be had, after asking for each of a failed batch alone."""
    if not missing:
        return []
    try:
        paths = _ask("load_objects", missing)
    except ObjaverseError:
        if len(missing) == 1:
            return missing
        return [uid for one in missing for uid in _place([one], folder)]
    for uid, path in paths.items():
        with whole_file(folder / f"{uid}.glb") as partial:
            link(path, partial)
    return [uid for uid in missing if uid not in paths]


def _row(uid: str, about: dict) -> dict:
    user = about.get("user") or {}
    return {"file": f"{uid}.glb", "licence": about.get("license") or "unknown",
            "author": user.get("displayName") or user.get("username") or "",
            "source": about.get("viewerUrl") or f"objaverse:{uid}"}


def _ask(function: str, *arguments):
    """Call the objaverse package, which raises whatever its downloads raise."""
    try:
        package = import_module("objaverse")
    except ImportError:
        raise ObjaverseError("Objaverse's package is not installed: pip install 'puppetmaster-core[objaverse]'") from None
    try:
        return getattr(package, function)(*arguments)
    except Exception as error:  # urllib's, gzip's, JSON's
        raise ObjaverseError(f"Objaverse's {function} failed ({type(error).__name__}: {error}): is there a network?") from None


def compare(ours: Iterable[str], looked_at: Iterable[str], published: Sequence[str], malformed: int = 0) -> dict:
    """A list of ours beside a published one, on the objects that the run looked at; `malformed` entries of the latter are no ids.

    Precision is the share of ours that is published, recall the share of the published that is ours; None where there is none.
    """
    ours, known = set(ours), set(published) & set(looked_at)
    both = len(ours & known)
    return {"ours": len(ours), "published": len(known), "both": both, "published_in_all": len(set(published)),
            "malformed": malformed, "precision": round(both / len(ours), 4) if ours else None,
            "recall": round(both / len(known), 4) if known else None}


def compare_all(subsets: dict[str, list[str]], looked_at: Iterable[str], folder: str | os.PathLike) -> dict[str, dict]:
    """`compare` for each list of ours whose published counterpart is in `folder`. Raises ObjaverseError where none is."""
    looked_at, out = list(looked_at), {}
    for name, file in LISTS.items():
        path = Path(folder, file)
        if path.is_file() and name in subsets:
            ids, malformed = read_ids(path)
            out[name] = compare(subsets[name], looked_at, ids, len(malformed))
    if not out:
        raise ObjaverseError(f"{folder}: neither {' nor '.join(LISTS.values())} is there: give the folder of the paper's lists")
    return out
