"""The drag editor: draw drags on a picture, in the notebook, and see what they do.

    editor = DragEditor("cabinet.png")   # shown as the last line of a cell
    editor.drags                         # the Drags that were drawn, as a pipeline takes them
    editor.takes[-1].video.frames        # what Generate made, (N, H, W, 3) uint8

Letters: K drags, N frames, (W, H) size of the picture in pixels.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from threading import Event, Thread

import anywidget
from traitlets import Bool, Bytes, Dict, Float, Int, List, Unicode

from puppetmaster_core.drags import FORMAT, DragError, Drags
from puppetmaster_core.editor.bundle import script, style
from puppetmaster_core.editor.film import png, sprite_sheet
from puppetmaster_core.editor.live_hand import LiveHand
from puppetmaster_core.editor.maker import Maker, Stopped, Take
from puppetmaster_core.pictures import open_picture

SHOWN = 12  # takes that the page keeps


class DragEditor(anywidget.AnyWidget):
    """A picture to draw drags on.

    image: whatever `open_picture` takes. drags: what is there to begin with. pipeline: what Generate uses: a shipped model,
    a folder, OWNER/NAME on the hub (loaded when it is first needed), or a pipeline. presets: sets of drags on this picture
    to choose from. Raises PictureError, DragError and ModelError.

    live: whether the picture follows the hand, once the model is loaded and found fast enough here (`LiveHand.measure`), and
    parts that look movable are suggested. plain: a figure without tools, on a page that brings the model; there once it can move.

    takes: every `Take` that was made. They can be read while the page shows the next one in the making.
    """

    _esm = script("editor")
    _css = style("editor")
    image = Bytes().tag(sync=True)
    image_size = List().tag(sync=True)  # [W, H]
    record = Dict().tag(sync=True)  # what is drawn, in the format puppetmaster.drags/1
    frames = Int().tag(sync=True)
    max_drags = Int().tag(sync=True)
    levels = List().tag(sync=True)  # [h, w] of each grid on which the U-Net is told of drags
    placement = Dict().tag(sync=True)
    convention = Unicode().tag(sync=True)
    fps = Float().tag(sync=True)
    presets = Dict().tag(sync=True)
    qualities = List().tag(sync=True)
    quality = Unicode("draft").tag(sync=True)
    seed = Int(0).tag(sync=True)
    progress = Dict({"state": "idle"}).tag(sync=True)
    shown_takes = List().tag(sync=True)
    live = Dict().tag(sync=True)  # "on": whether the picture follows the hand, "why": not; empty where none asked
    parts = List().tag(sync=True)  # suggested: {"mask": bytes S·S, "record"}
    plain = Bool(False).tag(sync=True)  # a figure: the picture alone

    def __init__(self, image, drags: Drags | None = None, *, pipeline="tiny", presets: Mapping[str, Drags] | None = None,
                 seed: int = 0, live: bool = True, plain: bool = False):
        self.picture = open_picture(image)
        self.takes: list[Take] = []
        self._maker, self._stop, self._work = Maker(pipeline), Event(), None
        self._hand = LiveHand(self._maker, self.picture, self._show_live, self._fail) if live else None
        size = self.picture.size
        super().__init__(image=png(self.picture), image_size=list(size), seed=seed, plain=plain, record=_record(drags, size),
                         presets={name: _record(preset, size) for name, preset in (presets or {}).items()},
                         live={"on": False, "why": ""} if live else {}, **self._facts())
        self.on_msg(self._heard)

    @property
    def drags(self) -> Drags:
        """What is drawn, in N frames. Raises DragError when nothing is."""
        return Drags.from_json(self.record, frames=self.frames)

    @drags.setter
    def drags(self, drags: Drags | None) -> None:
        self.record = _record(drags, tuple(self.image_size))

    def generate(self, drags: Drags | None = None, *, seed: int = 0, quality: str = "draft", **settings) -> Take:
        """Make a take and wait for it: what the button Generate does, from a cell.

        drags: None takes what is drawn. settings: further ones of the pipeline, such as steps. Raises what the pipeline does.
        """
        self._stop.clear()
        return self._make(self.drags if drags is None else drags, seed, {"quality": quality} | settings)

    def wait(self, seconds: float | None = None) -> None:
        """Wait for the take that the page has asked for, if any, for at most so many seconds."""
        if self._work is not None:
            self._work.join(seconds)

    def _make(self, drags: Drags, seed: int, settings: Mapping) -> Take:
        self.progress = {"state": "drawing" if self._maker.loaded else "loading"}
        try:
            self._load()
            video, seconds = self._maker.make(
                self.picture, drags, seed, settings, self._stop,
                lambda step, steps: self.set_trait("progress", {"state": "drawing", "step": step, "steps": steps}))
            take = Take(len(self.takes) + 1, seed, settings["quality"], drags, video, seconds)
            self.takes.append(take)
            self.shown_takes = [*self.shown_takes, _shown(take, tuple(self.image_size))][-SHOWN:]
        finally:
            self.progress = {"state": "idle"}
        return take

    def _facts(self) -> dict:
        facts = self._maker.facts
        return {"frames": facts.frames, "max_drags": facts.max_drags, "levels": [list(level) for level in facts.levels],
                "convention": facts.convention, "fps": facts.fps, "qualities": list(facts.qualities),
                "placement": facts.placement(self.picture.size)}

    # From the page: {"kind": "generate", seed, quality, record} and {"kind": "stop"}; "ready" when it is first shown.
    def _heard(self, _, message, buffers) -> None:
        kind = message.get("kind")
        if kind == "stop":
            self._stop.set()
        elif kind == "generate" and not (self._work and self._work.is_alive()):
            self._stop.clear()
            work = Thread(target=self._take, args=(message,), daemon=True)
            work.start()
            self._work = work  # after its start: a cell may be waiting for it in another thread
        elif kind == "live" and self._hand:
            self._stop.set()  # a video in the making would be of drags that are no more
            self._hand.ask(message)
        elif kind == "suggest":
            Thread(target=self._suggest, daemon=True).start()
        elif kind == "ready" and self._maker.at_hand and (self._hand or not self._maker.loaded):
            Thread(target=self._load_early, daemon=True).start()

    def _take(self, message: Mapping) -> None:
        """In a thread of its own: cells go on running."""
        try:
            drags = Drags.from_json(message.get("record"), frames=self.frames)
            self._make(drags, int(message["seed"]), {"quality": message["quality"]})
        except Stopped:
            pass
        except Exception as error:  # a thread has nobody to raise to: the page tells it
            self.progress = {"state": "failed", "message": f"{error}" or type(error).__name__}

    def _load_early(self) -> None:
        """While the first drag is drawn. An error waits until somebody asks for a video."""
        try:
            self._load()
            if self._hand and not self.live.get("on"):
                self.live = self._hand.measure()
        except Exception:
            return

    def _show_live(self, question: Mapping, frame) -> None:
        height, width, _ = frame.shape
        self.send({"kind": "live", "id": question.get("id"), "width": width, "height": height}, [frame.tobytes()])

    def _fail(self, message: str) -> None:
        self.progress = {"state": "failed", "message": message}

    def suggest(self) -> list:
        """The parts that look movable: masks and arrows (`LivePicture.suggest`). ValueError for a model that cannot tell."""
        found = (self._hand or LiveHand(self._maker, self.picture, self._show_live, self._fail)).suggest()
        self.parts = [{"mask": (255 * one.mask).astype("uint8").tobytes(), "record": _record(one.drags, tuple(self.image_size))}
                      for one in found]
        return found

    def _suggest(self) -> None:
        try:
            if not self.suggest():
                self._fail("No part of this picture looks movable to the model: draw a drag of your own.")
        except Exception as error:
            self._fail(f"{error}" or type(error).__name__)

    def _load(self) -> None:
        """Load the model; what it knows better than its files did is told to the page."""
        self._maker.load()
        for name, value in self._facts().items():
            setattr(self, name, value)


def _record(drags: Drags | None, size: tuple[int, int]) -> dict:
    """Drags as the page holds them."""
    if drags is None:
        return {"format": FORMAT, "image_size": list(size), "drags": []}
    if not isinstance(drags, Drags):
        raise DragError(f"got {type(drags).__name__}, expected Drags: make them with Drags.from_json or Drags.from_pixels")
    return json.loads(drags.to_json(image_size=size))


def _shown(take: Take, size: tuple[int, int]) -> dict:
    """A take as the page shows it."""
    about = {"id": take.number, "seed": take.seed, "quality": take.quality, "seconds": take.seconds}
    return about | sprite_sheet(take.video.frames) | {"drags": take.drags.points.tolist(), "record": _record(take.drags, size)}
