"""Animated 3D objects (§4): one interface for whatever moves, and the procedural library."""

from puppetmaster_core.assets.asset import AnimatedAsset, AnimationClip, Material
from puppetmaster_core.assets.cabinets import make_cabinet
from puppetmaster_core.assets.gltf import AssetError
from puppetmaster_core.assets.joints import ArticulatedAsset, Joint
from puppetmaster_core.assets.load import load_asset

__all__ = ["AnimatedAsset", "AnimationClip", "ArticulatedAsset", "AssetError", "Joint", "Material", "load_asset", "make_cabinet"]
