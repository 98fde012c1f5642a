"""Materials: base colours, their textures and how these lie on the surface (glTF 2.0, section 3.9).

A picture that is missing or damaged costs its texture, not the asset: the factor's colour stays, and the report says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from puppetmaster_core.assets.asset import Material
from puppetmaster_core.assets.gltf.document import Document, integer, label, mapping, number, numbers, objects, short, text
from puppetmaster_core.assets.gltf.errors import AssetError, Report
from puppetmaster_core.assets.gltf.images import Images

CLAMP, MIRROR, NEAREST = 33071, 33648, 9728
_SPECULAR, _TRANSFORM = "KHR_materials_pbrSpecularGlossiness", "KHR_texture_transform"


@dataclass(frozen=True)
class Surface:
    """A material, and which texture coordinates it wants, and how: uv' = uv · turn + offset, then wrapped."""

    material: Material
    texcoord: int = 0
    turn: np.ndarray | None = None  # (2, 2), None = as they are
    offset: np.ndarray | None = None  # (2,)
    wrap: tuple[int, int] = (10497, 10497)

    def place(self, uv: np.ndarray) -> np.ndarray:
        """Texture coordinates (V, 2) for a texture that repeats, from those of the file."""
        if self.turn is not None:
            uv = uv @ self.turn + self.offset
        uv = np.array(uv)
        for axis, wrap in enumerate(self.wrap):
            if wrap == CLAMP:
                uv[:, axis] = np.clip(uv[:, axis], 1e-6, 1 - 1e-6)
            elif wrap == MIRROR:  # the picture was doubled, see _texture
                uv[:, axis] /= 2
        return uv


DEFAULT = Surface(Material((1.0, 1.0, 1.0)))  # of a primitive that names none


def displayed(linear) -> np.ndarray:
    """Linear light in [0, 1] as sRGB displays it (IEC 61966-2-1)."""
    linear = np.clip(linear, 0.0, 1.0)
    return np.minimum(np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * (linear ** (1 / 2.4) - 1) + 1), 1.0)


class Materials:
    """Reads each material once, and only those asked for."""

    def __init__(self, document: Document, images: Images, report: Report):
        self.document, self.images, self.report, self.surfaces = document, images, report, {}

    def surface(self, index: int | None, where: str) -> Surface:
        """Material `index`; white for None, and (reported) for one that is not there."""
        if index is None:
            return DEFAULT
        if index >= len(self.document.all("materials")):
            self.report(f"{where} wants material {index}, which is not in the file: drawn white")
            return DEFAULT
        if index not in self.surfaces:
            try:
                self.surfaces[index] = self._read(self.document.all("materials")[index], f"material {index}")
            except AssetError as error:
                self.report(f"{error}: drawn white")
                self.surfaces[index] = DEFAULT
        return self.surfaces[index]

    def _read(self, material: dict, name: str) -> Surface:
        factors, key = mapping(material, "pbrMetallicRoughness", name), "baseColor"
        specular = mapping(mapping(material, "extensions", name), _SPECULAR, name)
        if specular and not factors.get("baseColorTexture"):  # the older model, whose diffuse colour is the base colour
            factors, key = specular, "diffuse"
        color = numbers(factors, f"{key}Factor", name, (1, 1, 1, 1), self.report)
        base = Material(
            color=tuple(float(c) for c in displayed(color[:3])),
            alpha=float(np.clip(color[3], 0, 1)),
            alpha_mode=self._alpha_mode(material, name),
            alpha_cutoff=number(material, "alphaCutoff", name, 0.5, self.report),
        )
        info = mapping(factors, f"{key}Texture", name)
        return self._texture(base, info, f"{name} ({label(material, 'unnamed')})") if info else Surface(base)

    def _alpha_mode(self, material: dict, name: str) -> str:
        mode = text(material, "alphaMode", name, "OPAQUE").lower()
        if mode not in ("opaque", "mask", "blend"):
            self.report(f"{name} has alphaMode {short(mode)}: drawn opaque")
            return "opaque"
        return mode

    def _texture(self, base: Material, info: dict, name: str) -> Surface:
        texture = self._listed("textures", integer(info, "index", name), name)
        image = self.images.read(texture, name) if texture is not None else None
        if image is None:
            return Surface(base)
        sampler = {}
        if texture.get("sampler") is not None:
            sampler = self._listed("samplers", integer(texture, "sampler", name), name) or {}
        wrap = integer(sampler, "wrapS", name, default=10497), integer(sampler, "wrapT", name, default=10497)
        nearest = integer(sampler, "magFilter", name, default=9729) == NEAREST
        if wrap[0] == MIRROR:
            image = np.concatenate([image, image[:, ::-1]], 1)
        if wrap[1] == MIRROR:
            image = np.concatenate([image, image[::-1]], 0)
        if base.alpha_mode == "opaque":
            image = image[..., :3]
        material = replace(base, texture=np.ascontiguousarray(image), filtering="nearest" if nearest else "linear")
        transform = mapping(mapping(info, "extensions", name), _TRANSFORM, name)
        texcoord = integer(transform, "texCoord", name, default=integer(info, "texCoord", name, default=0))
        return Surface(material, texcoord, *self._transform(transform, name), wrap)

    def _transform(self, transform: dict, name: str) -> tuple[np.ndarray | None, np.ndarray | None]:
        """KHR_texture_transform as uv · turn + offset: scaled, turned anticlockwise as seen (v runs down), then moved."""
        if not transform:
            return None, None
        angle = number(transform, "rotation", name, 0.0, self.report)
        c, s = np.cos(angle), np.sin(angle)
        scale = numbers(transform, "scale", name, (1, 1), self.report)
        return scale[:, None] * np.array([[c, -s], [s, c]]), numbers(transform, "offset", name, (0, 0), self.report)

    def _listed(self, kind: str, index: int, name: str) -> dict | None:
        present = objects(self.document.json, kind, "the file")
        if index < len(present):
            return present[index]
        self.report(f"{name} wants {kind}[{index}], which is not in the file: left out")
        return None


def painted(surface: Surface, face_colors: np.ndarray) -> tuple[Material, np.ndarray]:
    """A material that paints each triangle in its own colour, face_colors (F, 4) linear, and the uv (F, 3, 2) for it.

    The texture has one texel a triangle: vertex colours, averaged over the triangle, need nothing else of the renderer.
    """
    base, count = surface.material, len(face_colors)
    side = max(1, int(np.ceil(np.sqrt(count))))
    texels = np.full((side * side, 4), 255, np.uint8)
    texels[:count, :3] = np.rint(displayed(face_colors[:, :3]) * 255)
    texels[:count, 3] = np.rint(face_colors[:, 3] * 255)
    texels = texels.reshape(side, side, 4)[..., :3 if base.alpha_mode == "opaque" else 4]
    place = np.stack([np.arange(count) % side, np.arange(count) // side], -1)
    uv = np.repeat(((place + 0.5) / side)[:, None], 3, 1)
    return replace(base, texture=np.ascontiguousarray(texels), filtering="nearest"), uv
