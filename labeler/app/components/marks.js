// Drawing what is said of single completions: the rating under a card's letter, its flags, and the panel that sets them.

import { flagsOf, PROMPT, RATINGS } from "./answer.js";
import { button, el } from "./dom.js";
import { texts } from "./texts.js";

/**
 * The seven ratings of one completion.
 * @param {(rating: number|null) => void} onRate null takes the rating back
 */
export function ratingRow(label, onRate) {
  const buttons = RATINGS.map((rating) =>
    button(String(rating), { class: "lb-rating", tabindex: "-1", "data-testid": "rating", "data-label": label, "data-rating": rating, onclick: () => onRate(buttons[rating - 1].getAttribute("aria-pressed") === "true" ? null : rating) }),
  );
  const node = el("div", { class: "lb-ratings", role: "group", "aria-label": texts.rating.row(label), title: texts.rating.scale }, ...buttons);
  const mark = (given, off) =>
    buttons.forEach((one, index) => {
      one.setAttribute("aria-pressed", String(index + 1 === given));
      one.setAttribute("aria-label", texts.rating.rate(label, index + 1));
      one.disabled = off;
    });
  return { node, mark };
}

/** The flags that are set, as words to read. */
export function tags(flags, set) {
  return flags.filter(({ name }) => set.includes(name)).map(({ text, about }) => el("span", { class: "lb-tag", title: about }, text));
}

/** The letter of a completion; null for the prompt. */
export const letterOf = (target) => (target === PROMPT ? null : target);

/** The panel in the foot: whose flags they are, and every flag with its letter. */
export class Panel {
  /**
   * @param {string[]} targets labels, and PROMPT where the prompt has flags
   * @param {(target: string) => object[]} flagsFor the flags that a target can have
   * @param {{onTarget: (target: string) => void, onFlag: (name: string) => void}} on
   */
  constructor(targets, flagsFor, on) {
    this.targets = targets;
    this.flagsFor = flagsFor;
    this.on = on;
    this.who = el("div", { class: "lb-whos", role: "group", "aria-label": texts.rating.whose });
    this.flags = el("div", { class: "lb-flags", role: "group" });
    this.node = el("div", { class: "lb-panel", "data-testid": "flags" }, this.who, this.flags);
  }

  draw(answer, current, { off }) {
    const focused = document.activeElement?.closest?.(".lb-panel") ? document.activeElement.dataset.key : null;
    this.who.replaceChildren(...this.targets.map((target) => this.#target(target, answer, target === current)));
    const set = flagsOf(answer, current);
    this.flags.setAttribute("aria-label", texts.rating.flagsOf(letterOf(current)));
    this.flags.replaceChildren(...this.flagsFor(current).map((flag) => this.#flag(flag, set.includes(flag.name), off)));
    if (focused) this.node.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  #target(target, answer, current) {
    const count = flagsOf(answer, target).length;
    const name = target === PROMPT ? texts.rating.prompt : target;
    const label = count ? texts.rating.flagsSet(letterOf(target), count) : texts.rating.flagsOf(letterOf(target));
    return button(`${name}${count ? ` ⚑${count}` : ""}`, { class: "lb-who", "data-key": target, "aria-pressed": String(current), "aria-label": label, onclick: () => this.on.onTarget(target) }, target === PROMPT ? "0" : "");
  }

  #flag({ name, text, about, key }, set, off) {
    const attributes = { class: "lb-flag", "data-key": `flag ${name}`, "data-testid": "flag", "data-flag": name, "aria-pressed": String(set), "aria-label": about || text, title: about, disabled: off };
    return button(text, { ...attributes, onclick: () => this.on.onFlag(name) }, key.toUpperCase());
  }
}
