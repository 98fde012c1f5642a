"""One door for animated 3D files."""

from __future__ import annotations

import os

from puppetmaster_core.assets.gltf import USUAL, GltfAsset, Limits, read_gltf


def load_asset(path: str | os.PathLike, limits: Limits = USUAL) -> GltfAsset:
    """Read an animated asset from a .glb or .gltf file (glTF 2.0); what the file is, its first bytes say.

    Sub-models are the scene's nodes with a mesh, clips its animations in file order, materials their base colours and
    textures. `.vertices(clip, t)` gives (V, 3) float64 positions in the file's own units, +y up; `.rest()` the pose without
    animation; `.report` lists defects that were mended, such as NaN skin weights or missing textures.

    Raises AssetError (a ValueError) whose one line names the file and the cause: a file that is damaged, that needs an
    extension which is not supported, or that asks for more memory than `limits` allow.
    """
    return read_gltf(path, limits)
