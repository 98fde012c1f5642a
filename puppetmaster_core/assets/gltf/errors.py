"""What cannot be read is an AssetError; what was mended is a line of the asset's report. Bounds keep hostile files small."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

MOST_LINES = 100  # of a report: a file with a million defects must not fill the memory with their description


class AssetError(ValueError):
    """A file that cannot be read as an animated asset. The message is one line: what came, what was wanted, what to do."""


class WholeFileError(AssetError):
    """What costs the whole file, not a part: it asks for more than its limits, for what lies elsewhere, or for a decoder."""


# What a note is about. Runs count assets by these, and training leaves clips out that are marked TEXTURE.
FILE, EXTENSION, PART, MOTION = "file", "extension", "part left out", "motion left out"
VALUES, LOOK, TEXTURE = "values mended", "look simplified", "texture lost"
KINDS = (FILE, EXTENSION, PART, MOTION, VALUES, LOOK, TEXTURE)


@dataclass(frozen=True)
class Limits:
    """How much one file may ask for. Raise them for a large asset you trust."""

    file_bytes: int = 1 << 29  # of the file, and of each buffer or picture beside it
    json_items: int = 3_000_000  # numbers, texts and lists in the JSON part: Python needs about 100 bytes for each
    nodes: int = 100_000
    decoded_bytes: int = 1 << 30  # of all arrays and textures made from the file
    vertices: int = 9_999_999  # drawn, every instance of a mesh counted
    triangles: int = 9_999_999
    texture_pixels: int = 1 << 26  # of one picture in the file; a larger one counts as missing
    texture_pixels_in_all: int = 1 << 29  # of all pictures decoded; those after that count as missing
    texture_side: int = 2048  # larger pictures are made smaller: clips are 256 or 512 pixels wide


USUAL = Limits()


@dataclass
class Report:
    """What was mended or left out while reading: one line per kind of defect and place."""

    lines: list[str] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)  # of KINDS, of all lines, those that are not listed too
    first_loss: AssetError | None = None  # why a part or a motion was left out

    def __call__(self, line: str, kind: str = VALUES) -> None:
        self.kinds.add(kind)
        if line in self.lines or len(self.lines) > MOST_LINES:
            return
        self.lines.append(line if len(self.lines) < MOST_LINES else "more defects were found and are not listed")

    @contextmanager
    def leaving_out(self, what: str, kind: str) -> Iterator[None]:
        """An AssetError in here costs `what` and is noted; a WholeFileError costs the file."""
        try:
            yield
        except AssetError as error:
            self.lose(what, kind, error)

    def lose(self, what: str, kind: str, error: AssetError) -> None:
        """Note that `error` costs `what`; raise a WholeFileError again."""
        if isinstance(error, WholeFileError):
            raise error
        self.first_loss = self.first_loss or error
        self(f"{what} is left out: {error}", kind)


@dataclass
class Budget:
    """Counts the memory a file asks for, before it is given."""

    limits: Limits
    used: int = 0

    def charge(self, size: int, what: str) -> None:
        """Take `size` bytes for `what`; WholeFileError when the file asks for more than its limit in all."""
        self.used += size
        if self.used > self.limits.decoded_bytes:
            raise WholeFileError(f"{what} needs {size:,} bytes, which makes {self.used:,} for this file, at most "
                              f"{self.limits.decoded_bytes:,} are given: reduce the mesh, or raise Limits.decoded_bytes")
