"""The procedural library (§4): endless animated objects, good and bad, each from a category and a seed."""

from puppetmaster_core.assets.library.make import CATEGORIES, GROUPS, UnknownCategory, categories_of, make_asset
from puppetmaster_core.assets.library.rigged import RiggedAsset

__all__ = ["CATEGORIES", "GROUPS", "RiggedAsset", "UnknownCategory", "categories_of", "make_asset"]
