"""Materials: colours, what shines, their textures and how these lie on the surface (glTF 2.0, section 3.9).

A picture that is missing or damaged costs its texture, not the asset: the factor's colour stays, and the report says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from puppetmaster_core.assets.asset import Material
from puppetmaster_core.assets.gltf.document import Document, integer, label, mapping, number, numbers, objects, short, text
from puppetmaster_core.assets.gltf.errors import LOOK, TEXTURE, AssetError, Report
from puppetmaster_core.assets.gltf.images import Images
from puppetmaster_core.assets.gltf.looks import undrawn

NEAREST = 9728
WRAPS = {10497: "repeat", 33071: "clamp", 33648: "mirror"}
FAR = 1e6  # texture coordinates beyond are brought here: no texel can be told from the next
_SPECULAR, _TRANSFORM = "KHR_materials_pbrSpecularGlossiness", "KHR_texture_transform"
_UNLIT, _STRENGTH = "KHR_materials_unlit", "KHR_materials_emissive_strength"


@dataclass(frozen=True)
class Laid:
    """Which texture coordinates a texture wants, and how: uv' = uv · turn + offset."""

    texcoord: int = 0
    turn: np.ndarray | None = None  # (2, 2), None = as they are
    offset: np.ndarray | None = None  # (2,)

    def place(self, uv: np.ndarray) -> np.ndarray:
        """Texture coordinates (V, 2), from those of the file."""
        if self.turn is not None:
            with np.errstate(all="ignore"):
                uv = np.nan_to_num(uv @ self.turn + self.offset)
        return np.clip(uv, -FAR, FAR)


@dataclass(frozen=True)
class Surface:
    """A material, and how its textures are laid on it."""

    material: Material
    base: Laid = field(default_factory=Laid)
    emission: Laid = field(default_factory=Laid)


DEFAULT = Surface(Material((1.0, 1.0, 1.0)))  # of a primitive that names none


def displayed(linear) -> np.ndarray:
    """Linear light in [0, 1] as sRGB displays it (IEC 61966-2-1)."""
    linear = np.clip(linear, 0.0, 1.0)
    return np.minimum(np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * (linear ** (1 / 2.4) - 1) + 1), 1.0)


class Materials:
    """Reads each material once, and only those asked for."""

    def __init__(self, document: Document, images: Images, report: Report):
        self.document, self.images, self.report, self.surfaces = document, images, report, {}
        self.undrawn: dict[str, int] = {}  # properties that show and are not drawn: how many materials have each

    def surface(self, index: int | None, where: str) -> Surface:
        """Material `index`; white for None, and (reported) for one that is not there."""
        if index is None:
            return DEFAULT
        if index >= len(self.document.all("materials")):
            self.report(f"{where} wants material {index}, which is not in the file: drawn white", TEXTURE)
            return DEFAULT
        if index not in self.surfaces:
            try:
                self.surfaces[index] = self._read(self.document.all("materials")[index], f"material {index}")
            except AssetError as error:
                self.report(f"{error}: drawn white", TEXTURE)
                self.surfaces[index] = DEFAULT
        return self.surfaces[index]

    def note_undrawn(self) -> None:
        """Report what the materials asked for set that is not drawn."""
        for name, count in self.undrawn.items():
            self.report(f"{name} of {count} material{'s' if count > 1 else ''} is not drawn: surfaces are matt and solid", LOOK)

    def _read(self, material: dict, name: str) -> Surface:
        extensions, shown = mapping(material, "extensions", name), f"{name} ({label(material, 'unnamed')})"
        factors, key = mapping(material, "pbrMetallicRoughness", name), "baseColor"
        specular = mapping(extensions, _SPECULAR, name)
        if specular and not factors.get("baseColorTexture"):  # the older model, whose diffuse colour is the base colour
            factors, key = specular, "diffuse"
        color = numbers(factors, f"{key}Factor", name, (1, 1, 1, 1), self.report)
        base = Material(
            color=tuple(float(c) for c in displayed(color[:3])),
            alpha=float(np.clip(color[3], 0, 1)),
            alpha_mode=self._alpha_mode(material, name),
            alpha_cutoff=number(material, "alphaCutoff", name, 0.5, self.report),
            unlit=_UNLIT in extensions,
            double_sided=material.get("doubleSided") is True,
        )
        base, laid = self._texture(base, "", mapping(factors, f"{key}Texture", name), shown)
        if base.unlit:  # then all else has no effect
            return Surface(base, laid)
        for property in undrawn(material, name, self.report):
            self.undrawn[property] = self.undrawn.get(property, 0) + 1
        factor = numbers(material, "emissiveFactor", name, (0, 0, 0), self.report)
        strength = number(mapping(extensions, _STRENGTH, name), "emissiveStrength", name, 1.0, self.report)
        emission = np.clip(factor * max(strength, 0.0), 0.0, 1e6)
        if not emission.any():
            return Surface(base, laid)
        base = replace(base, emission=tuple(emission.tolist()))
        return Surface(*self._emission(base, laid, mapping(material, "emissiveTexture", name), shown))

    def _emission(self, base: Material, laid: Laid, info: dict, name: str) -> tuple[Material, Laid, Laid]:
        """With the texture of what shines; where that is lost, nothing shines."""
        material, shines = self._texture(base, "emission_", info, name)
        if info and material.emission_texture is None:
            material = replace(base, emission=(0.0, 0.0, 0.0))
        return material, laid, shines

    def _alpha_mode(self, material: dict, name: str) -> str:
        mode = text(material, "alphaMode", name, "OPAQUE").lower()
        if mode not in ("opaque", "mask", "blend"):
            self.report(f"{name} has alphaMode {short(mode)}: drawn opaque")
            return "opaque"
        return mode

    def _texture(self, base: Material, prefix: str, info: dict, name: str) -> tuple[Material, Laid]:
        """The material with the texture that `info` names, in the fields that begin with `prefix`, and how it is laid on."""
        texture = self._listed("textures", integer(info, "index", name), name) if info else None
        image = self.images.read(texture, name) if texture is not None else None
        if image is None:
            return base, Laid()
        sampler = {}
        if texture.get("sampler") is not None:
            sampler = self._listed("samplers", integer(texture, "sampler", name), name) or {}
        wraps = [integer(sampler, key, name, default=10497) for key in ("wrapS", "wrapT")]
        if strange := [wrap for wrap in wraps if wrap not in WRAPS]:
            self.report(f"{name} wraps its texture by {strange[0]}, wanted one of {list(WRAPS)}: it repeats", LOOK)
        nearest = integer(sampler, "magFilter", name, default=9729) == NEAREST
        if base.alpha_mode == "opaque" or prefix:
            image = image[..., :3]
        transform = mapping(mapping(info, "extensions", name), _TRANSFORM, name)
        texcoord = integer(transform, "texCoord", name, default=integer(info, "texCoord", name, default=0))
        fields = {"texture": np.ascontiguousarray(image), "filtering": "nearest" if nearest else "linear",
                  "wrap": tuple(WRAPS.get(wrap, "repeat") for wrap in wraps)}
        return (replace(base, **{f"{prefix}{key}": value for key, value in fields.items()}),
                Laid(texcoord, *self._transform(transform, name)))

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
        self.report(f"{name} wants {kind}[{index}], which is not in the file: left out", TEXTURE)
        return None
