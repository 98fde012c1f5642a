"""The tables of a curation run: Parquet files that DuckDB, pandas or Polars read.

    duckdb -c "SELECT verdict, count(*) FROM 'curated/animations.parquet' GROUP BY ALL"
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from puppetmaster_core.curation.metrics import METRICS
from puppetmaster_core.files import whole_file

ASSETS = pa.schema([
    ("asset", pa.string()), ("number", pa.int64()), ("sha256", pa.string()), ("licence", pa.string()), ("author", pa.string()),
    ("source", pa.string()), ("category", pa.string()), ("animations", pa.int32()), ("submodels", pa.int32()),
    ("triangles", pa.int64()), ("mended", pa.list_(pa.string())),
    ("notes", pa.list_(pa.string())),  # what was mended, in kinds: see assets.gltf.errors.KINDS
    ("left_out", pa.string()),  # by the pre-filter, and why
    ("error", pa.string()),  # why it could not be read; one line
    ("stderr", pa.string()),  # what it left there when it failed
    ("seconds", pa.float64()), ("cpu_seconds", pa.float64()),  # to read it, by the clock and of a core
])
MEASURED = pa.schema([
    ("asset", pa.string()), ("number", pa.int64()), ("animation", pa.int32()), ("name", pa.string()), ("duration", pa.float64()),
    *((name, pa.float64()) for name in METRICS),
    ("error", pa.string()), ("seconds", pa.float64()), ("cpu_seconds", pa.float64()),  # to measure it
])
# One row per animation: what is known of its asset, what was measured, and what became of it.
ANIMATIONS = pa.schema([
    *MEASURED, ("sha256", pa.string()), ("licence", pa.string()), ("category", pa.string()), ("group", pa.string()),
    ("probability", pa.float64()),  # of being good, says the forest
    ("realistic", pa.bool_()), ("judge_reason", pa.string()), ("judge_error", pa.string()),
    ("verdict", pa.string()), ("stage", pa.string()), ("reason", pa.string()), ("tools", pa.string()),
])


def write_table(path: Path, rows: Iterable[dict], schema: pa.Schema) -> None:
    """Rows in the columns of `schema`; the file appears whole. Raises OSError."""
    table = pa.Table.from_pylist(list(rows), schema)
    with whole_file(path) as partial, open(partial, "wb") as file:
        pq.write_table(table, file, compression="zstd")


def read_rows(*paths: Path) -> list[dict]:
    """The rows of several files of one schema, in the files' order. Raises OSError."""
    return [row for path in paths for row in pq.read_table(path).to_pylist()]
