"""Reading glTF 2.0 files (.glb, .gltf): containers, accessors, materials, and vertices that move (§4).

Read in this order: errors, document, container, accessors, nodes, animation, primitives, parts, looks, materials,
surface, asset, reader.
"""

from puppetmaster_core.assets.gltf.asset import GltfAsset
from puppetmaster_core.assets.gltf.errors import AssetError, Limits
from puppetmaster_core.assets.gltf.reader import load_asset

__all__ = ["AssetError", "GltfAsset", "Limits", "load_asset"]
