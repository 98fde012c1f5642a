"""What the rasteriser's loops read of an asset: triangles, colours and textures as flat arrays.

Letters: F triangles, M materials, T textures (the M materials' own first, then those of what shines), P texels of all textures
and their smaller copies together, L levels.
"""

from __future__ import annotations

from typing import NamedTuple
from weakref import ref

import numpy as np

from puppetmaster_core.assets.asset import WRAPS, AnimatedAsset

OPAQUE, BLEND = -2.0, -1.0  # in place of a cutoff
_WHITE = np.full((1, 1, 3), 255, np.uint8)
_made: dict[int, tuple] = {}  # by the asset's id: a weak reference to it, and its surfaces; copies of an asset get their own


class Surfaces(NamedTuple):
    """An asset without its motion."""

    faces: np.ndarray  # (F, 3) int32
    uv: np.ndarray  # (F, 3, 2) float32
    emission_uv: np.ndarray  # (F, 3, 2) float32
    colors: np.ndarray  # (F, 3, 4) float32 linear RGBA of the corners; (0, 3, 4) = white
    material: np.ndarray  # (F,) int32
    submodel: np.ndarray  # (F,) int32
    smooth: np.ndarray  # (F, 3) int32, corners with the same number share a normal, -1 = flat
    rgb: np.ndarray  # (M, 3) float32
    alpha: np.ndarray  # (M,) float32
    cutoff: np.ndarray  # (M,) float32: a hole where alpha is below; OPAQUE; or BLEND
    emission: np.ndarray  # (M, 3) float32, linear
    shine: np.ndarray  # (M,) int64: the texture of the emission, or of white; -1 = nothing shines
    unlit: np.ndarray  # (M,) bool
    plain: np.ndarray  # (M,) bool: no texture, or one of a single white texel
    one_sided: np.ndarray  # (M,) bool
    texels: np.ndarray  # (P, 4) uint8
    levels: np.ndarray  # (T, L, 5) int64: first texel, rows, columns of each size of each texture; indices of WRAPS for u and v
    n_levels: np.ndarray  # (T,) int64, 1 = nearest texel

    @classmethod
    def of(cls, asset: AnimatedAsset) -> Surfaces:
        """Raises ValueError where an array is of another shape or counts something that is not there: the loops do not look."""
        _check(asset)
        materials, count = asset.materials, len(asset.faces)
        shining = [m for m, material in enumerate(materials) if any(material.emission) and not material.unlit]
        shine = np.full(len(materials), -1)
        shine[shining] = len(materials) + np.arange(len(shining))
        textures = [(m.texture, m.filtering, m.wrap) for m in materials]
        textures += [(m.emission_texture, m.emission_filtering, m.emission_wrap) for m in (materials[i] for i in shining)]
        pyramids = [_pyramid(picture, filtering) for picture, filtering, _ in textures]
        smooth = np.full((count, 3), -1) if asset.smooth is None else asset.smooth
        colors = np.empty((0, 3, 4)) if asset.colors is None else asset.colors
        cutoffs = [{"opaque": OPAQUE, "blend": BLEND, "mask": m.alpha_cutoff}[m.alpha_mode] for m in materials]
        emission_uv = asset.uv if asset.emission_uv is None else asset.emission_uv

        def of_materials(name, dtype=np.float32):
            return np.array([getattr(m, name) for m in materials], dtype)

        return cls(
            **{name: np.ascontiguousarray(getattr(asset, name), np.int32) for name in ("faces", "material", "submodel")},
            **{name: np.ascontiguousarray(array, np.float32)
               for name, array in (("uv", asset.uv), ("emission_uv", emission_uv), ("colors", colors))},
            smooth=np.ascontiguousarray(smooth, np.int32), rgb=of_materials("color"), alpha=of_materials("alpha"),
            cutoff=np.array(cutoffs, np.float32), emission=of_materials("emission"), shine=shine,
            unlit=of_materials("unlit", bool), one_sided=~of_materials("double_sided", bool),
            plain=np.array([whole.size == 4 and (whole[..., :3] == 255).all() for whole, *_ in pyramids[:len(materials)]]),
            texels=np.concatenate([picture.reshape(-1, 4) for pyramid in pyramids for picture in pyramid]),
            levels=_places(pyramids, [wrap for _, _, wrap in textures]),
            n_levels=np.array([len(pyramid) for pyramid in pyramids], np.int64))


def _check(asset: AnimatedAsset) -> None:
    count, least = len(asset.faces), {"smooth": -1}
    arrays = {"faces": ((count, 3), 2**31), "uv": ((count, 3, 2), None), "emission_uv": ((count, 3, 2), None),
              "colors": ((count, 3, 4), None), "material": ((count,), len(asset.materials)),
              "submodel": ((count,), min(len(asset.submodels), 2**15)), "smooth": ((count, 3), 3 * count)}
    if not count:
        raise ValueError("got an asset of no triangles, expected at least one: give another")
    for name, (shape, end) in arrays.items():
        array, low = getattr(asset, name), least.get(name, 0)
        if array is None:
            continue
        if array.shape != shape:
            raise ValueError(f"got {name} of shape {array.shape}, expected {shape} for {count} triangles: correct the asset")
        if end is not None and not (low <= array.min() and array.max() < end):
            raise ValueError(f"got {name} from {array.min()} to {array.max()}, expected {low} to {end - 1}: correct the asset")


def surfaces_of(asset: AnimatedAsset) -> Surfaces:
    """The surfaces of an asset, made once and kept as long as the asset: one that was drawn is changed no more, but replaced."""
    key = id(asset)
    known = _made.get(key)
    if known is None or known[0]() is not asset:
        known = _made[key] = ref(asset, lambda _: _made.pop(key, None)), Surfaces.of(asset)
    return known[1]


def _places(pyramids: list[list[np.ndarray]], wraps: list[tuple[str, str]]) -> np.ndarray:
    """Where the texels of each size of each texture begin, its rows and columns, and how it wraps: (T, L, 5)."""
    levels, first = np.zeros((len(pyramids), max(map(len, pyramids)), 5), np.int64), 0
    for t, (pyramid, wrap) in enumerate(zip(pyramids, wraps, strict=True)):
        for level, picture in enumerate(pyramid):
            levels[t, level] = first, *picture.shape[:2], *map(WRAPS.index, wrap)
            first += picture.shape[0] * picture.shape[1]
    return levels


def _pyramid(picture: np.ndarray | None, filtering: str) -> list[np.ndarray]:
    """A texture (h, w, 4) uint8, white without one, and, where it is read between texels, its halves down to one texel."""
    picture = _WHITE if picture is None else picture
    if picture.ndim != 3 or picture.shape[2] not in (3, 4) or picture.dtype != np.uint8 or 0 in picture.shape:
        raise ValueError(f"got a texture of shape {picture.shape}, {picture.dtype}, expected (h, w, 3 or 4) uint8: convert it")
    if picture.shape[2] == 3:
        picture = np.concatenate([picture, np.full((*picture.shape[:2], 1), 255, np.uint8)], axis=2)
    pyramid = [np.ascontiguousarray(picture)]
    while filtering == "linear" and max(pyramid[-1].shape[:2]) > 1:
        pyramid.append(_halved(pyramid[-1]))
    return pyramid


def _halved(picture: np.ndarray) -> np.ndarray:
    """Means of 2 × 2 texels (1 along a side of one texel; an odd last one is dropped); colours count by their alpha."""
    rows, columns = picture.shape[:2]
    high, wide = min(rows, 2), min(columns, 2)
    cut = picture[: rows // high * high, : columns // wide * wide].astype(np.float32)
    blocks = cut.reshape(rows // high, high, columns // wide, wide, 4).transpose(0, 2, 1, 3, 4).reshape(
        rows // high, columns // wide, high * wide, 4)
    weight = blocks[..., 3:] + 1e-3
    color = (blocks[..., :3] * weight).sum(2) / weight.sum(2)
    return np.rint(np.concatenate([color, blocks[..., 3:].mean(2)], axis=-1)).astype(np.uint8)
