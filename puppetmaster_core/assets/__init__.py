"""Animated 3D objects (§4): one interface for whatever moves."""

from puppetmaster_core.assets.asset import AnimatedAsset, AnimationClip, Material
from puppetmaster_core.assets.asset_sources import AssetSourceError, asset_source
from puppetmaster_core.assets.gltf import AssetError, load_asset

__all__ = ["AnimatedAsset", "AnimationClip", "AssetError", "AssetSourceError", "Material", "asset_source", "load_asset"]
