"""The drag editor and the player: widgets for JupyterLab, live there and on a page of the book (anywidget)."""

from puppetmaster_core.editor.drag_editor import DragEditor
from puppetmaster_core.editor.player import Player

__all__ = ["DragEditor", "Player"]
