"""Tables that a notebook and a page of the book show alike. Letters: N frames, V vertices."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from IPython.display import HTML

from lib.clip_figures import MOVES, travelled
from puppetmaster_core.assets.asset import AnimatedAsset


def table(head: Sequence[str], rows: Sequence[Sequence]) -> HTML:
    """A table with a head; numbers that are not whole get two places."""

    def line(cells: Sequence, tag: str) -> str:
        texts = (f"{cell:.2f}" if isinstance(cell, float) else escape(str(cell)) for cell in cells)
        return "<tr>" + "".join(f"<{tag}>{text}</{tag}>" for text in texts) + "</tr>"

    body = "".join(line(row, "td") for row in rows)
    return HTML(f'<table class="table"><thead>{line(head, "th")}</thead><tbody>{body}</tbody></table>')


def parts_table(asset: AnimatedAsset, positions: np.ndarray) -> HTML:
    """Each sub-model with its triangles, whether it moves, and how far; vertices at positions (N, V, 3)."""
    rows = []
    for part, way in enumerate(travelled(asset, positions).max(1)):
        triangles, does = int((asset.submodel == part).sum()), "moves" if way > MOVES else "stays"
        rows.append((asset.submodels[part], triangles, f"{way:.0%} of the largest side", does))
    return table(("sub-model", "triangles", "farthest vertex goes", ""), rows)


def index_table(index, columns: Sequence[str]) -> HTML:
    """Columns of a pyarrow table, a line a row."""
    return table(columns, [tuple(row.values()) for row in index.select(list(columns)).to_pylist()])
