"""The pictures of a file, decoded within bounds: by Pillow, and those in KTX2's form by opengl_basisu where it is installed."""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image, UnidentifiedImageError

from puppetmaster_core.assets.gltf.accessors import Accessors
from puppetmaster_core.assets.gltf.compression import KTX2, unpack_basis
from puppetmaster_core.assets.gltf.document import short
from puppetmaster_core.assets.gltf.errors import TEXTURE, AssetError, Report, damaged
from puppetmaster_core.pictures import PictureError, eight_bits

_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")  # glTF allows the first two; real files hold the others too


class Images:
    """Decodes a picture the first time it is asked for."""

    def __init__(self, accessors: Accessors, report: Report):
        self.accessors, self.limits, self.report = accessors, accessors.container.limits, report
        self.pictures, self.pixels = {}, 0  # decoded so far

    def read(self, texture: dict, where: str) -> np.ndarray | None:
        """The texture's picture (h, w, 4) uint8, or None (reported) if it cannot be had."""
        holders = (texture, *(texture["extensions"][name] for name in ("EXT_texture_webp", "KHR_texture_basisu")))
        sources = [holder["source"] for holder in holders if holder and holder["source"] is not None]  # the best first
        if not sources:
            self.report(f"{where}: its texture names no picture, drawn without", TEXTURE)
        for source in sources:
            if source not in self.pictures:
                try:
                    self.pictures[source] = self._decode(self._bytes(source, where), f"image {source}")
                except AssetError as error:
                    self.pictures[source] = None
                    self.report(f"{where}: {error}; drawn without", TEXTURE)
            if self.pictures[source] is not None:
                return self.pictures[source]
        return None

    def _bytes(self, index: int, where: str) -> bytes:
        image, name = self.accessors.document.get("images", index, where), f"image {index}"
        if image["uri"]:
            return self.accessors.container.fetch(image["uri"], name)
        if image["bufferView"] is None:
            raise damaged(name, "neither a URI nor a bufferView", "one of them")
        return bytes(self.accessors.view(image["bufferView"], name)[0])

    def _decode(self, data: bytes, name: str) -> np.ndarray:
        side = self.limits.texture_side
        if data.startswith(KTX2):
            picture = Image.fromarray(unpack_basis(data, name, self._take_room))
        else:
            picture = self._open(data, name)
        if max(picture.size) > side:
            picture.thumbnail((side, side), Image.Resampling.BOX)
        self.accessors.budget.charge(picture.width * picture.height * 4, name)
        return np.array(picture)

    def _open(self, data: bytes, name: str) -> Image.Image:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
                    self._take_room(*picture.size, name)
                    picture.draft("RGB", (self.limits.texture_side,) * 2)
                    return eight_bits(picture).convert("RGBA")
            except AssetError:
                raise
            except UnidentifiedImageError:
                raise AssetError(f"{name}: got {short(data[:8])}…, expected a PNG, JPEG or WebP picture") from None
            except (PictureError, OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, OverflowError,
                    NotImplementedError, Image.DecompressionBombError) as error:  # what Pillow's decoders raise
                raise AssetError(f"{name} cannot be decoded ({short(str(error))})") from None

    def _take_room(self, width: int, height: int, name: str) -> None:
        """Count the pixels of a picture. Raises AssetError where they are too many."""
        most = min(self.limits.texture_pixels, self.limits.texture_pixels_in_all - self.pixels)
        if width * height > most:
            raise AssetError(f"{name}: got {width} × {height} pixels, expected at most {most:,}")
        self.pixels += width * height
