// Where the picture lies on the stage: zoom and shift, and the way from the screen to the picture's own pixels.

export function makeView(stage, [width, height]) {
  const margin = 14;
  let view = { scale: 1, x: 0, y: 0 };
  let fitted = true;
  const room = () => [stage.clientWidth || 1, stage.clientHeight || 1];
  const fitScale = () => {
    const [w, h] = room();
    return Math.max(1e-3, Math.min((w - 2 * margin) / width, (h - 2 * margin) / height));
  };
  const centred = (scale) => {
    const [w, h] = room();
    return { scale, x: (w - width * scale) / 2, y: (h - height * scale) / 2 };
  };
  const self = {
    get scale() { return view.scale; },
    get zoom() { return view.scale / fitScale(); },
    get transform() { return `translate(${view.x} ${view.y}) scale(${view.scale})`; },
    toScreen: ([x, y]) => [view.x + x * view.scale, view.y + y * view.scale],
    // Pixels on the screen to pixels of the picture. The page may have scaled the stage, and it may have a border.
    toPicture(clientX, clientY) {
      const box = stage.getBoundingClientRect();
      const style = getComputedStyle(stage); // sizes before scaling; offsetWidth would be rounded
      const stretch = [box.width / (parseFloat(style.width) || 1), box.height / (parseFloat(style.height) || 1)];
      const x = (clientX - box.left) / stretch[0] - stage.clientLeft;
      const y = (clientY - box.top) / stretch[1] - stage.clientTop;
      return [(x - view.x) / view.scale, (y - view.y) / view.scale];
    },
    fit() { view = centred(fitScale()); fitted = true; },
    // Keep what is under `at` (in the picture) where it is.
    zoomTo(zoom, at = [width / 2, height / 2]) {
      const scale = fitScale() * Math.min(16, Math.max(0.25, zoom));
      const [x, y] = self.toScreen(at);
      view = { scale, x: x - at[0] * scale, y: y - at[1] * scale };
      fitted = Math.abs(zoom - 1) < 1e-3;
      if (fitted) self.fit();
    },
    shift(dx, dy) {
      const [w, h] = room();
      const hold = (value, length, side) => Math.min(side - 40, Math.max(40 - length * view.scale, value));
      view = { ...view, x: hold(view.x + dx, width, w), y: hold(view.y + dy, height, h) };
      fitted = false;
    },
    resized() { if (fitted) self.fit(); },
  };
  return self;
}
