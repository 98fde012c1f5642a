"""The procedural library (§4): endless animated objects, good and bad, each from a category and a seed."""

from procedural_library.corruptions import CORRUPTIONS, corrupt
from procedural_library.folder import LibraryError, check_folder, make_library, planned
from procedural_library.make import CATEGORIES, GROUPS, UnknownCategory, categories_of, make_asset
from procedural_library.rigged import RiggedAsset
from procedural_library.sheet import contact_sheet

__all__ = ["CATEGORIES", "CORRUPTIONS", "GROUPS", "LibraryError", "RiggedAsset", "UnknownCategory", "categories_of",
           "check_folder", "contact_sheet", "corrupt", "make_asset", "make_library", "planned"]
