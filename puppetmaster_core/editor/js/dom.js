// Making elements without a framework.

const ICONS = {
  draw: "M2.5 13.5c4-1 1.5-6 5-7s2 5 6-4", points: "M3 12.5 8 5l5 4", pin: "M8 9.5V14M5 9.5h6M6 2.5h4l-.5 4 1.5 3H5l1.5-3z",
  undo: "M3 6.5h6.5a3.5 3.5 0 0 1 0 7H6M5.5 3.5l-3 3 3 3", redo: "M13 6.5H6.5a3.5 3.5 0 0 0 0 7H10M10.5 3.5l3 3-3 3",
  remove: "M3 4.5h10M6.5 4.5v-2h3v2M4.5 4.5l.5 9h6l.5-9M7 7v4M9 7v4", clear: "M4 4l8 8M12 4l-8 8", plus: "M8 3.5v9M3.5 8h9",
  minus: "M3.5 8h9", fit: "M3 6V3h3M10 3h3v3M13 10v3h-3M6 13H3v-3", play: "M5 3l8 5-8 5z", pause: "M5.5 3.5v9M10.5 3.5v9",
  json: "M6 3C3.5 3 5.5 7.5 3 8c2.5.5.5 5 3 5M10 3c2.5 0 .5 4.5 3 5-2.5.5-.5 5-3 5", help: "M6 6a2 2 0 1 1 3 1.7c-.7.5-1 .8-1 1.6M8 12v.1",
};

export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made && !name.startsWith("aria") && name !== "list") made[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export function icon(name) {
  const holder = element("span", { className: "pm-icon", "aria-hidden": "true" });
  holder.innerHTML = `<svg viewBox="0 0 16 16"><path d="${ICONS[name]}"/></svg>`;
  return holder;
}

// A button that says what it does to those who see and to those who listen; `keys` tells the shortcut.
export function button(name, label, onclick, { text = "", keys = "", ...more } = {}) {
  const title = keys ? `${label} (${keys})` : label;
  return element("button", { type: "button", title, "aria-label": text ? undefined : label, onclick, ...more },
    name ? icon(name) : null, text || null);
}

// One of several, as a row of buttons: arrow keys move within it, as in any radio group.
export function choice(label, options, chosen, onchoose, role = "radiogroup") {
  const [one, mark] = role === "tablist" ? ["tab", "aria-selected"] : ["radio", "aria-checked"];
  const group = element("div", { className: `pm-choice pm-${role}`, role, "aria-label": label });
  const choose = (value, byHand = true) => {
    for (const item of group.children) {
      const on = item.dataset.value === value;
      item.setAttribute(mark, on);
      item.tabIndex = on ? 0 : -1;
      if (on && byHand) item.focus();
    }
    if (byHand) onchoose(value);
  };
  for (const { value, name, title, symbol, id, controls } of options) {
    group.append(element("button", { type: "button", role: one, title, id, "aria-controls": controls, "data-value": value,
      onclick: () => choose(value) }, symbol ? icon(symbol) : null, name));
  }
  group.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = options.findIndex((option) => option.value === document.activeElement?.dataset.value
      || option.value === event.target.dataset.value);
    choose(options[(at + step + options.length) % options.length].value);
  });
  choose(chosen, false);
  group.choose = (value) => choose(value, false);
  return group;
}

// Bytes of a picture as an address that an element can show.
export function addressOf(bytes, type) {
  return bytes?.byteLength ? URL.createObjectURL(new Blob([bytes], { type })) : "";
}
