"""Materials: colours, what shines, their textures and how these lie on the surface (glTF 2.0, section 3.9).

A picture that is missing or damaged costs its texture, not the asset: the factor's colour stays, and the report says so.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np

from puppetmaster_core.assets.asset import Material, displayed
from puppetmaster_core.assets.gltf.document import short
from puppetmaster_core.assets.gltf.errors import LOOK, TEXTURE, AssetError, Report
from puppetmaster_core.assets.gltf.images import Images
from puppetmaster_core.assets.gltf.looks import undrawn

NEAREST = 9728
WRAPS = {10497: "repeat", 33071: "clamp", 33648: "mirror"}
FAR = 1e6  # texture coordinates beyond are brought here: no texel can be told from the next


@dataclass(frozen=True)
class Laid:
    """Which texture coordinates a texture takes, and how: uv' = uv · turn + offset."""

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

    material: Material = field(default_factory=lambda: Material((1.0, 1.0, 1.0)))
    base: Laid = field(default_factory=Laid)
    emission: Laid = field(default_factory=Laid)


class Materials:
    """Reads each material once, and only those asked for."""

    def __init__(self, images: Images, report: Report):
        self.document, self.images, self.report = images.accessors.document, images, report
        self.surfaces = {None: Surface()}  # white, of a primitive that names none
        self.undrawn = Counter()  # properties that show and are not drawn: how many materials have each

    def surface(self, index: int | None, where: str) -> Surface:
        """Material `index`; white (reported) for one that is damaged or not there."""
        if index not in self.surfaces:
            try:
                self.surfaces[index] = self._read(self.document.get("materials", index, where), f"material {index}")
            except AssetError as error:
                self.report(f"{error}: drawn white", TEXTURE)
                self.surfaces[index] = Surface()
        return self.surfaces[index]

    def note_undrawn(self) -> None:
        """Report what the materials asked for set that is not drawn."""
        for name, count in self.undrawn.items():
            self.report(f"{name} of {count} material{'s' if count > 1 else ''} is not drawn: surfaces are matt and solid", LOOK)

    def _read(self, material: dict, name: str) -> Surface:
        extensions, shown = material["extensions"], f"{name} ({material['name'] or 'unnamed'})"
        factors, key = material["pbrMetallicRoughness"], "baseColor"
        older = extensions["KHR_materials_pbrSpecularGlossiness"]
        if older and not factors["baseColorTexture"]:  # the older model, whose diffuse colour is the base colour
            factors, key = older, "diffuse"
        color, mode = factors[f"{key}Factor"], material["alphaMode"].lower()
        if mode not in ("opaque", "mask", "blend"):
            self.report(f"{name} has alphaMode {short(material['alphaMode'])}: drawn opaque")
            mode = "opaque"
        base = Material(tuple(float(c) for c in displayed(color[:3])), alpha=float(np.clip(color[3], 0, 1)), alpha_mode=mode,
                        alpha_cutoff=material["alphaCutoff"], unlit="KHR_materials_unlit" in extensions,
                        double_sided=material.get("doubleSided") is True)
        base, laid = self._textured(base, "", factors[f"{key}Texture"], shown)
        if base.unlit:  # then all else has no effect
            return Surface(base, laid)
        self.undrawn.update(undrawn(material, name, self.report))
        strength = extensions["KHR_materials_emissive_strength"] or {"emissiveStrength": 1.0}
        emission = np.clip(material["emissiveFactor"] * max(strength["emissiveStrength"], 0.0), 0.0, 1e6)
        if not emission.any():
            return Surface(base, laid)
        shining = replace(base, emission=tuple(emission.tolist()))
        shining, shines = self._textured(shining, "emission_", material["emissiveTexture"], shown)
        lost = material["emissiveTexture"] and shining.emission_texture is None  # then nothing shines
        return Surface(base if lost else shining, laid, shines)

    def _textured(self, base: Material, prefix: str, info: dict | None, name: str) -> tuple[Material, Laid]:
        """The material with the texture that `info` names, in the fields that begin with `prefix`, and how it is laid on."""
        texture = self._get("textures", info["index"], name) if info else None
        image = self.images.read(texture, name) if texture else None
        if image is None:
            return base, Laid()
        sampler = {"wrapS": 10497, "wrapT": 10497, "magFilter": 9729}
        if texture["sampler"] is not None:
            sampler = self._get("samplers", texture["sampler"], name) or sampler
        wraps = [sampler["wrapS"], sampler["wrapT"]]
        if strange := [wrap for wrap in wraps if wrap not in WRAPS]:
            self.report(f"{name} wraps its texture by {strange[0]}, expected one of {list(WRAPS)}: it repeats", LOOK)
        if base.alpha_mode == "opaque" or prefix:
            image = image[..., :3]
        fields = {"texture": np.ascontiguousarray(image), "filtering": "nearest" if sampler["magFilter"] == NEAREST else "linear",
                  "wrap": tuple(WRAPS.get(wrap, "repeat") for wrap in wraps)}
        return replace(base, **{f"{prefix}{key}": value for key, value in fields.items()}), _laid(info)

    def _get(self, kind: str, index: int, name: str) -> dict | None:
        """An item of the file; None (reported) where it is not there."""
        if index < len(self.document.json[kind]):
            return self.document.get(kind, index, name)
        self.report(f"{name} names {kind}[{index}], which is not in the file: left out", TEXTURE)
        return None


def _laid(info: dict) -> Laid:
    """KHR_texture_transform as uv · turn + offset: scaled, turned anticlockwise as seen (v runs down), then moved."""
    transform = info["extensions"]["KHR_texture_transform"]
    if not transform:
        return Laid(info["texCoord"])
    c, s = np.cos(transform["rotation"]), np.sin(transform["rotation"])
    texcoord = info["texCoord"] if transform["texCoord"] is None else transform["texCoord"]
    return Laid(texcoord, transform["scale"][:, None] * np.array([[c, -s], [s, c]]), transform["offset"])
