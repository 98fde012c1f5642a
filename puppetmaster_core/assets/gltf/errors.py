"""What cannot be read is an AssetError; what is mended or left out is a line of the report. Limits keep hostile files small."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

MOST_LINES = 100  # of a report: a file with a million defects must not fill the memory with their description


class AssetError(ValueError):
    """A file that cannot be read as an animated asset. The message is one line: what it holds, what was expected, what to do."""


class WholeFileError(AssetError):
    """What costs the whole file, not a part: it asks for more than its limits, for what lies elsewhere, or for a decoder."""


class DamagedError(AssetError):
    """What costs a part, or the file where nothing that moves is left."""


def damaged(where: str, got, expected: str) -> DamagedError:
    return DamagedError(f"{where}: got {got}, expected {expected}")


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

    def check(self, name: str, got: int, what: str) -> None:
        """Raise WholeFileError where `got` is more than the limit called `name`."""
        if got > getattr(self, name):
            raise WholeFileError(f"{what}: got {got:,}, expected at most {getattr(self, name):,}: simplify the asset, or raise "
                                 f"Limits.{name}")


USUAL = Limits()


@dataclass
class Report:
    """What was mended or left out while reading: one line per kind of defect and place."""

    lines: list[str] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)  # of KINDS, of all lines, those that are not listed too
    first_loss: AssetError | None = None  # why a part or a motion was left out

    def __call__(self, line: str, kind: str = VALUES) -> None:
        self.kinds.add(kind)
        if line not in self.lines and len(self.lines) <= MOST_LINES:
            self.lines.append(line if len(self.lines) < MOST_LINES else "more defects were found and are not listed")

    @contextmanager
    def leaving_out(self, what: str, kind: str) -> Iterator[None]:
        """An AssetError in here costs `what` and is noted; a WholeFileError costs the file."""
        try:
            yield
        except WholeFileError:
            raise
        except AssetError as error:
            self.first_loss = self.first_loss or error
            self(f"{what} is left out: {str(error).removeprefix(f'{what}: ')}", kind)


@dataclass
class Budget:
    """Counts the memory a file asks for, before it is given."""

    limits: Limits
    used: int = 0

    def charge(self, size: int, what: str) -> None:
        """Take `size` bytes for `what`; WholeFileError when the file asks for more than its limit in all."""
        self.used += size
        self.limits.check("decoded_bytes", self.used, f"bytes of memory, with {size:,} for {what}")
