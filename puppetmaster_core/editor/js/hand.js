// Pointers on the stage: mouse, pen and fingers, all through pointer events, captured until they are let go.

import { distance, fromHand, isPin, mix, moved, paceOf } from "./path.js";
import { pick, segmentAt } from "./stage.js";

const STILL = 4; // pixels of the screen within which a press is a click

export function watchHand(stage, view, doc, editor) {
  const down = new Map(); // pointer id → where it is on the screen
  let act = null; // what the pressed pointer does: { move, end, cancel }
  const place = (event) => view.toPicture(event.clientX, event.clientY);
  const reach = (event) => (event.pointerType === "touch" ? 22 : 11);
  const screen = (event) => view.toScreen(place(event));

  function press(event) {
    editor.hideCursor();
    down.set(event.pointerId, [event.clientX, event.clientY]);
    stage.focus({ preventScroll: true });
    try { stage.setPointerCapture(event.pointerId); } catch { /* a pointer that is gone already */ }
    if (down.size === 2) { act?.cancel(); act = pinch(); return; }
    if (down.size > 2) return;
    event.preventDefault();
    if (event.button === 1 || editor.panning) { act = pan(event); return; }
    if (event.button) return;
    act = editor.chain ? addToChain(event) : begin(event);
  }

  function begin(event) {
    if (editor.plain) { editor.transport.pause(); editor.parts.live.release(); } // the film was on the stage
    const hit = event.shiftKey ? { drag: -1 } : pick(doc, view, screen(event), reach(event));
    if (hit.drag >= 0) return event.altKey && hit.point < 0 ? insert(hit, event) : move(hit, event);
    if (editor.plain) doc.show([]); // a new drag takes the place of the old one
    else if (doc.full) { doc.select(-1); editor.sayFull(); return null; }
    if (editor.tool === "pin") {
      doc.add({ path: [place(event)], smooth: false, pace: paceOf("steady", doc.frames) });
      return move({ drag: doc.drags.length - 1, point: 0 }, event);
    }
    return editor.tool === "points" ? addToChain(event) : draw(event);
  }

  // Press, drag, release: a path. The place where the pointer is let go counts.
  function draw(event) {
    const start = [event.clientX, event.clientY];
    const samples = [[...place(event), event.timeStamp]];
    const far = () => distance(view.toScreen(samples[0]), view.toScreen(samples.at(-1))) >= STILL || samples.length > 40;
    const add = (one) => {
      const at = place(one);
      if (distance(at, samples.at(-1)) > 0) samples.push([...at, one.timeStamp]);
    };
    return {
      move(now) {
        for (const one of now.getCoalescedEvents?.() ?? []) add(one);
        add(now);
        editor.rubber = now.shiftKey ? [samples[0], place(now)] : samples;
        editor.preview(() => (now.shiftKey ? straight(samples) : far() ? fromHand(samples, 1.2 / view.scale, doc.frames) : null));
      },
      end(now) {
        samples.push([...place(now), now.timeStamp]); // also where the hand rested: its pace is kept
        editor.preview(null);
        if (distance(start, [now.clientX, now.clientY]) < STILL && !far()) {
          doc.revert();
          doc.select(-1);
          editor.say("Press, drag and let go to draw a path.");
          return;
        }
        doc.add(now.shiftKey ? straight(samples) : fromHand(samples, 1.2 / view.scale, doc.frames));
      },
      cancel() { editor.preview(null); doc.revert(); },
    };
  }
  const straight = (samples) => ({ path: [samples[0].slice(0, 2), samples.at(-1).slice(0, 2)], smooth: true, pace: paceOf("steady", doc.frames) });

  // Click by click: every click adds a point; a click on the last point, a double click or Enter ends it.
  function addToChain(event) {
    const at = place(event);
    const last = editor.chain?.at(-1);
    if (last && distance(view.toScreen(last), view.toScreen(at)) < reach(event)) { editor.endChain(); return null; }
    editor.addToChain(at);
    return null;
  }

  function move(hit, event) {
    doc.select(hit.drag, hit.point);
    const before = doc.current;
    const from = place(event);
    const corner = hit.point < 0 || isPin(before) ? null : before.path[hit.point];
    let gone = false;
    return {
      move(now) {
        const at = place(now);
        if (!gone && distance(view.toScreen(from), view.toScreen(at)) < STILL) return;
        gone = true;
        const by = [at[0] - from[0], at[1] - from[1]];
        const next = corner
          ? { ...before, path: before.path.map((p, i) => (i === hit.point ? [p[0] + by[0], p[1] + by[1]] : p)) }
          : moved(before, by);
        doc.show(doc.replaced(hit.drag, next));
      },
      end(now) { this.move(now); if (gone) doc.commit(); },
      cancel() { doc.revert(); },
    };
  }

  function insert(hit, event) {
    const drag = doc.drags[hit.drag];
    const index = segmentAt(drag, place(event));
    doc.show(doc.replaced(hit.drag, { ...drag, path: [...drag.path.slice(0, index), place(event), ...drag.path.slice(index)] }));
    const moving = move({ drag: hit.drag, point: index }, event);
    return { ...moving, end(now) { moving.move(now); doc.commit(); } };
  }

  function pan(event) {
    let from = [event.clientX, event.clientY];
    return {
      move(now) {
        view.shift(now.clientX - from[0], now.clientY - from[1]);
        from = [now.clientX, now.clientY];
        editor.repaint();
      },
      end() {}, cancel() {},
    };
  }

  function pinch() {
    const two = () => [...down.values()];
    const measure = () => { const [a, b] = two(); return { apart: distance(a, b), middle: mix(a, b, 0.5) }; };
    let before = measure();
    return {
      move() {
        if (down.size < 2) return;
        const now = measure();
        view.shift(now.middle[0] - before.middle[0], now.middle[1] - before.middle[1]);
        view.zoomTo((view.zoom * now.apart) / (before.apart || 1), view.toPicture(...now.middle));
        before = now;
        editor.repaint();
      },
      end() {}, cancel() {},
    };
  }

  const moveOn = (event) => {
    if (down.has(event.pointerId)) down.set(event.pointerId, [event.clientX, event.clientY]);
    if (act) act.move(event);
    else if (!down.size) {
      if (editor.chain) editor.hover(place(event));
      const hit = pick(doc, view, screen(event), reach(event));
      stage.style.cursor = editor.panning ? "grab" : hit.point >= 0 ? "move" : hit.drag >= 0 ? "pointer" : "crosshair";
    }
  };
  const letGo = (event, how) => {
    if (!down.delete(event.pointerId)) return;
    const done = act;
    if (down.size === 0 || how === "cancel") act = null;
    if (done && down.size === 0) done[how](event);
  };
  stage.addEventListener("pointerdown", press);
  stage.addEventListener("pointermove", moveOn);
  stage.addEventListener("pointerup", (event) => letGo(event, "end"));
  stage.addEventListener("pointercancel", (event) => letGo(event, "cancel"));
  stage.addEventListener("dblclick", () => editor.chain && editor.endChain());
  stage.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return; // a plain wheel scrolls the page
    event.preventDefault();
    view.zoomTo(view.zoom * Math.exp(-event.deltaY / 200), place(event));
    editor.repaint();
  }, { passive: false });
}
