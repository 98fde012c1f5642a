"""The pictures of a file, decoded within bounds: by Pillow, and those in KTX2's form by opengl_basisu where it is installed."""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image, UnidentifiedImageError

from puppetmaster_core.assets.gltf.accessors import Accessors
from puppetmaster_core.assets.gltf.compression import KTX2, unpack_basis
from puppetmaster_core.assets.gltf.document import Document, integer, mapping, short, text
from puppetmaster_core.assets.gltf.errors import TEXTURE, AssetError, Report
from puppetmaster_core.picture_files import PictureError, eight_bits

_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")  # glTF allows the first two; real files hold the others too
_WEBP, _BASIS = "EXT_texture_webp", "KHR_texture_basisu"


class Images:
    """Decodes a picture the first time it is asked for."""

    def __init__(self, document: Document, accessors: Accessors, report: Report):
        self.document, self.accessors, self.report, self.pictures = document, accessors, report, {}
        self.pixels = 0  # decoded so far

    def read(self, texture: dict, where: str) -> np.ndarray | None:
        """The texture's picture (h, w, 4) uint8, or None (reported) if it cannot be had."""
        sources = self._sources(texture, where)
        if not sources:
            self.report(f"{where}: its texture names no picture, drawn without", TEXTURE)
        for source in sources:
            if source not in self.pictures:
                try:
                    self.pictures[source] = self._decode(self._bytes(source, where), f"picture {source}")
                except (AssetError, OSError) as error:
                    self.pictures[source] = None
                    self.report(f"{where}: {_reason(error, source)}; drawn without", TEXTURE)
            if self.pictures[source] is not None:
                return self.pictures[source]
        return None

    def _sources(self, texture: dict, where: str) -> list[int]:
        """The pictures a texture may show, the best first: Basis Universal's last, as it is not always decoded."""
        extensions = mapping(texture, "extensions", where)
        holders = [texture, *(mapping(extensions, name, where) for name in (_WEBP, _BASIS))]
        sources = [integer(holder, "source", where, default=None) for holder in holders]
        return [source for source in sources if source is not None]

    def _bytes(self, index: int, where: str) -> bytes:
        image = self.document.get("images", index, where)
        name = f"picture {index}"
        uri = text(image, "uri", name)
        if uri:
            return self.accessors.container.fetch(uri, name)
        return bytes(self.accessors.view(integer(image, "bufferView", name), name)[0])

    def _decode(self, data: bytes, name: str) -> np.ndarray:
        limits = self.accessors.container.limits
        if data.startswith(KTX2):
            return self._shrunk(Image.fromarray(unpack_basis(data, name, self._room)), name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
                    self._room(*picture.size, name)
                    picture.draft("RGB", (limits.texture_side, limits.texture_side))
                    picture = eight_bits(picture).convert("RGBA")
            except AssetError:
                raise
            except (UnidentifiedImageError, Image.DecompressionBombError):
                raise AssetError(f"{name} is {short(data[:8])}…, not a PNG, JPEG or WebP picture") from None
            except PictureError as error:
                raise AssetError(f"{name}: {error}") from None
            except (SyntaxError, ValueError, EOFError, IndexError, TypeError, OverflowError, NotImplementedError) as error:
                raise AssetError(f"{name} is damaged ({short(str(error))})") from None  # what Pillow's decoders raise
        return self._shrunk(picture, name)

    def _room(self, width: int, height: int, name: str) -> None:
        """Take the room for a picture. Raises AssetError where there is none."""
        limits = self.accessors.container.limits
        most = min(limits.texture_pixels, limits.texture_pixels_in_all - self.pixels)
        if width * height > most:
            raise AssetError(f"{name} has {width} × {height} pixels, at most {most:,} more are decoded")
        self.pixels += width * height

    def _shrunk(self, picture: Image.Image, name: str) -> np.ndarray:
        side = self.accessors.container.limits.texture_side
        if max(picture.size) > side:
            picture.thumbnail((side, side), Image.Resampling.BOX)
        self.accessors.budget.charge(picture.width * picture.height * 4, name)
        return np.array(picture)


def _reason(error: AssetError | OSError, source: int) -> str:
    if isinstance(error, AssetError):
        return str(error)
    return f"picture {source} cannot be read ({error.strerror or short(str(error))})"
