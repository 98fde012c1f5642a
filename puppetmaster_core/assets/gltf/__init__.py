"""Reading glTF 2.0 files (.glb, .gltf): containers, accessors, materials, and vertices that move (§4).

Read in this order: errors, document, container, accessors, nodes, keyframes, animation, primitives, looks, materials, asset,
parts, winding, reader.
"""

from puppetmaster_core.assets.gltf.asset import GltfAsset
from puppetmaster_core.assets.gltf.errors import USUAL, AssetError, Limits
from puppetmaster_core.assets.gltf.reader import read_gltf

__all__ = ["USUAL", "AssetError", "GltfAsset", "Limits", "read_gltf"]
