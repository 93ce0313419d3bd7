// Making elements. Text from people and models only ever goes in as text nodes, never as markup.

/**
 * An element with attributes, listeners and children.
 * `on…` keys are listeners, `class`, `data-…`, `aria-…` and the rest attributes; false, null and undefined are left out.
 */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** A button that never submits a form; `key` is the shortcut shown behind its text. */
export function button(text, attributes = {}, key = "") {
  const hint = key ? el("kbd", { "aria-hidden": "true" }, key) : null;
  return el("button", { type: "button", "aria-keyshortcuts": key || null, ...attributes }, text, hint);
}

/** Set or remove an attribute according to a condition. */
export function flag(node, name, on) {
  if (on) node.setAttribute(name, "");
  else node.removeAttribute(name);
}

/** Whether keys typed into this element are text and not commands. */
export function takesText(node) {
  return node instanceof HTMLElement && (node.matches("textarea, select, input:not([type=checkbox]):not([type=radio])") || node.isContentEditable);
}

/** A random version 4 UUID; crypto.randomUUID is missing where the page comes over plain http from another machine. */
export function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
