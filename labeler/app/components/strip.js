// The ranking strip: tiers from best to worst with their chips, the places between them, and the unranked pool.

import { el } from "./dom.js";
import { rankOf, unranked } from "./ranking.js";
import { texts } from "./texts.js";

const DRAG_STARTS = 6; // pixels; less is a tap

export class Strip {
  /** @param {{onTap, onTier, onGap, onPool}} on what a tap and the three kinds of drop do */
  constructor(on) {
    this.on = on;
    this.row = el("div", { class: "lb-row", role: "group", "aria-label": texts.ranking.name });
    this.pool = el("div", { class: "lb-pool", "data-drop": "pool", role: "group", "aria-label": texts.ranking.unranked });
    this.node = el("div", { class: "lb-strip" }, this.row, this.pool);
  }

  /** How many of how many are to be ranked: the pool says what becomes of the rest. */
  limit(wanted, count) {
    this.top = wanted < count ? wanted : null;
  }

  /** Draw a ranking; a chip that had the focus has it again. */
  draw(state, { off = false } = {}) {
    const focused = document.activeElement?.closest?.(".lb-strip") ? document.activeElement.dataset.label : null;
    const chip = (label) => this.#chip(label, rankOf(state, label), off);
    const tiers = state.tiers.flatMap((tier, index) => [this.#tier(tier.map(chip), index), this.#gap(index + 1)]);
    this.row.replaceChildren(end(texts.ranking.best), this.#gap(0), ...tiers, end(texts.ranking.worst));
    if (state.tie) this.row.querySelector(`[data-label="${state.trail.at(-1)}"]`)?.after(el("span", { class: "lb-tie" }, "="));
    const open = unranked(state).map(chip);
    this.pool.replaceChildren(end(texts.ranking.pool(this.top)), ...(open.length ? open : [el("span", { class: "lb-none" }, "–")]));
    if (focused) this.node.querySelector(`[data-label="${focused}"]`)?.focus({ preventScroll: true });
  }

  #tier(chips, index) {
    const rank = el("span", { class: "lb-tier-rank", "aria-hidden": "true" }, String(index + 1));
    return el("div", { class: "lb-tier", "data-drop": "tier", "data-index": index }, rank, ...chips);
  }

  #gap(index) {
    return el("div", { class: "lb-gap", "data-drop": "gap", "data-index": index, "data-hint": texts.ranking.hint, "data-touch-hint": texts.ranking.touchHint, "aria-hidden": "true" });
  }

  #chip(label, rank, off) {
    const chip = el(
      "button",
      {
        type: "button", class: "lb-chip", disabled: off, "data-testid": "chip", "data-label": label, "data-rank": rank ?? "",
        "aria-label": texts.ranking.chip(label, rank),
        "aria-describedby": "lb-chip-keys",
        onclick: () => this.on.onTap(label),
      },
      label,
    );
    chip.addEventListener("pointerdown", (event) => this.#grab(event, chip, label));
    return chip;
  }

  #grab(down, chip, label) {
    if (down.button !== 0 || chip.disabled) return;
    const drag = { ghost: null, target: null };
    chip.setPointerCapture(down.pointerId); // at once: a quick hand is off the chip with its first move
    const move = (event) => {
      if (!drag.ghost && Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) < DRAG_STARTS) return;
      drag.ghost ??= this.#lift(chip);
      drag.ghost.style.transform = `translate(${event.clientX}px, ${event.clientY}px) translate(-50%, -60%)`;
      this.#aim(drag, event);
    };
    const release = (event) => {
      for (const [name, listener] of listeners) chip.removeEventListener(name, listener);
      if (!drag.ghost) return; // a tap: its click follows
      drag.ghost.remove();
      this.#aim(drag, event);
      this.node.classList.remove("lb-dragging");
      drag.target?.classList.remove("lb-target");
      chip.addEventListener("click", (click) => click.stopImmediatePropagation(), { once: true, capture: true });
      if (event.type === "pointerup") this.#drop(drag.target, label);
      else chip.classList.remove("lb-lifted");
    };
    const listeners = [["pointermove", move], ["pointerup", release], ["pointercancel", release]];
    for (const [name, listener] of listeners) chip.addEventListener(name, listener);
  }

  #lift(chip) {
    chip.classList.add("lb-lifted");
    this.node.classList.add("lb-dragging");
    const ghost = el("div", { class: "lb-chip lb-ghost", "aria-hidden": "true" }, chip.dataset.label);
    this.node.append(ghost);
    return ghost;
  }

  #aim(drag, event) {
    const target = this.#targetAt(event.clientX, event.clientY);
    if (target === drag.target) return;
    drag.target?.classList.remove("lb-target");
    target?.classList.add("lb-target");
    drag.target = target;
  }

  /** What lies under the pointer, or else the nearest place of the row it is level with. */
  #targetAt(x, y) {
    const under = document.elementFromPoint(x, y)?.closest("[data-drop]");
    if (under && this.node.contains(under)) return under;
    const box = this.row.getBoundingClientRect();
    if (x < box.left || x > box.right || y < box.top - 40 || y > box.bottom + 12) return null;
    const distance = (place) => {
      const { left, right, top, bottom } = place.getBoundingClientRect();
      return Math.hypot(Math.max(left - x, 0, x - right), Math.max(top - y, 0, y - bottom));
    };
    const places = [...this.row.querySelectorAll("[data-drop]")];
    return places.reduce((best, place) => (distance(place) < distance(best) ? place : best));
  }

  #drop(target, label) {
    if (!target) this.on.onRedraw();
    else if (target.dataset.drop === "pool") this.on.onPool(label);
    else if (target.dataset.drop === "tier") this.on.onTier(label, Number(target.dataset.index));
    else this.on.onGap(label, Number(target.dataset.index));
  }
}

function end(text) {
  return el("span", { class: "lb-end" }, text);
}
