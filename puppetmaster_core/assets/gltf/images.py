"""The pictures of a file, decoded by Pillow within bounds."""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image, UnidentifiedImageError

from puppetmaster_core.assets.gltf.accessors import Accessors
from puppetmaster_core.assets.gltf.document import Document, integer, mapping, short, text
from puppetmaster_core.assets.gltf.errors import AssetError, Report

_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")  # glTF allows the first two; real files hold the others too
_BASIS = "KHR_texture_basisu"


class Images:
    """Decodes a picture the first time it is asked for."""

    def __init__(self, document: Document, accessors: Accessors, report: Report):
        self.document, self.accessors, self.report, self.pictures = document, accessors, report, {}
        self.pixels = 0  # decoded so far

    def read(self, texture: dict, where: str) -> np.ndarray | None:
        """The texture's picture (h, w, 4) uint8, or None (reported) if it cannot be had."""
        extensions = mapping(texture, "extensions", where)
        source = integer(mapping(extensions, "EXT_texture_webp", where), "source", where, default=None)
        source = integer(texture, "source", where, default=source)
        if source is None:
            why = "its Basis Universal picture is not decoded" if _BASIS in extensions else "its texture names no picture"
            self.report(f"{where}: {why}, drawn without")
            return None
        if source not in self.pictures:
            try:
                self.pictures[source] = self._decode(self._bytes(source, where), f"picture {source}")
            except (AssetError, OSError) as error:
                reason = str(error) if isinstance(error, AssetError) else f"picture {source} cannot be read ({_reason(error)})"
                self.report(f"{where}: {reason}; drawn without")
                self.pictures[source] = None
        return self.pictures[source]

    def _bytes(self, index: int, where: str) -> bytes:
        image = self.document.get("images", index, where)
        name = f"picture {index}"
        uri = text(image, "uri", name)
        if uri:
            return self.accessors.container.fetch(uri, name)
        return bytes(self.accessors.view(integer(image, "bufferView", name), name)[0])

    def _decode(self, data: bytes, name: str) -> np.ndarray:
        limits = self.accessors.container.limits
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
                    width, height = picture.size
                    most = min(limits.texture_pixels, limits.texture_pixels_in_all - self.pixels)
                    if width * height > most:
                        raise AssetError(f"{name} has {width} × {height} pixels, at most {most:,} more are decoded")
                    self.pixels += width * height
                    picture.draft("RGB", (limits.texture_side, limits.texture_side))
                    picture = picture.convert("RGBA")
            except AssetError:
                raise
            except (UnidentifiedImageError, Image.DecompressionBombError):
                raise AssetError(f"{name} is {short(data[:8])}…, not a PNG, JPEG or WebP picture") from None
            except (SyntaxError, ValueError, EOFError, IndexError, TypeError, OverflowError, NotImplementedError) as error:
                raise AssetError(f"{name} is damaged ({short(str(error))})") from None  # what Pillow's decoders raise
        if max(picture.size) > limits.texture_side:
            picture.thumbnail((limits.texture_side, limits.texture_side), Image.Resampling.BOX)
        self.accessors.budget.charge(picture.width * picture.height * 4, name)
        return np.array(picture)


def _reason(error: OSError) -> str:
    return error.strerror or short(str(error))
