"""The model in a page of the book: a pipeline written as tapes, and the engine in `js/` that plays them in the browser."""

from page_model.packing import PageModelError, pack_model, page_script, write_script

__all__ = ["PageModelError", "pack_model", "page_script", "write_script"]
