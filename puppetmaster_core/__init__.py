"""Puppet-Master: a picture and a few drags in, a video of the dragged parts moving out.

The names below are loaded on first use, so importing the package costs nothing.
"""

from importlib import import_module

__version__ = "0.1.0"

# public name -> the module it lives in
_HOMES = {
    "Drags": "drags",
    "DragUNet": "model",
    "PuppetMasterPipeline": "pipeline",
    "encode_drags": "encoding",
    "evaluate": "evaluation.exact",
    "load_asset": "assets",
    "motion_metrics": "curation",
}

__all__ = ["DragUNet", "Drags", "PuppetMasterPipeline", "__version__", "encode_drags", "evaluate",
           "load_asset", "motion_metrics"]


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
