"""Before anything is measured: objects that GObjaverse calls Poor-quality are left out (App. B.1).

The same categories weigh the clips in the training mixture (App. C.1), see clips/mixture.py.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

POOR = "Poor-quality"
LABELS = ("Human-Shape", "Animals", "Daily-Used", "Furnitures", "Buildings&&Outdoor", "Transportations", "Plants", "Food",
          "Electronics", POOR)  # as GObjaverse spells them


class CategoryError(ValueError):
    """A file of categories that cannot be used. The message is one line."""


@dataclass(frozen=True)
class Categories:
    """GObjaverse's label of each object, by its id; `skipped` entries of the file were none."""

    labels: Mapping[str, str] = field(default_factory=dict)
    skipped: int = 0

    def of(self, name: str) -> str | None:
        """The label of the object in the file `name`, whose stem is its id; None where it has none."""
        return self.labels.get(uid_of(name))

    def left_out(self, name: str) -> bool:
        """Whether the pre-filter of App. B.1 leaves the object out."""
        return self.of(name) == POOR


def uid_of(name: str) -> str:
    """An object's id: the name of its file without folders and ending."""
    path = PurePosixPath(name)
    return path.stem if path.suffix.lower() in (".glb", ".gltf") else path.name


def read_categories(path: str | os.PathLike) -> Categories:
    """GObjaverse's `category_annotation.json`: a list of {"object_index": "UID.glb", "label": "…"}.

    Entries that are not like that, or whose label is none of LABELS, are skipped and counted. An object that comes twice with
    two labels keeps the first. Raises CategoryError: no JSON list, not one entry that can be used; OSError.
    """
    try:
        entries = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError:
        entries = None
    if not isinstance(entries, list):
        raise CategoryError(f"{path}: got no JSON list, expected GObjaverse's category_annotation.json")
    labels, skipped = {}, 0
    for entry in entries:
        name, label = (entry.get("object_index"), entry.get("label")) if isinstance(entry, dict) else (None, None)
        if isinstance(name, str) and label in LABELS:
            labels.setdefault(uid_of(name), label)
        else:
            skipped += 1
    if not labels:
        raise CategoryError(f'{path}: none of {skipped} entries is {{"object_index": "UID.glb", "label": …}} with a known label')
    return Categories(labels, skipped)
