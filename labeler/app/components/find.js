// Finding words in the prompt and the completions. Hits are highlighted by the browser; the texts themselves stay untouched.

import { button, el } from "./dom.js";
import { texts } from "./texts.js";

const MOST = 5000; // hits
const [ALL, NOW] = ["lb-found", "lb-found-now"];

export class Find {
  /** @param {HTMLElement} main where the texts are; @param {() => void} onClose */
  constructor(main, onClose) {
    this.main = main;
    this.onClose = onClose;
    this.hits = [];
    this.at = -1;
    this.field = el("input", { type: "search", class: "lb-find-text", "aria-label": texts.find.name, "data-testid": "find-text", autocomplete: "off", spellcheck: "false", oninput: () => this.#search() });
    this.count = el("span", { class: "lb-find-count", role: "status", "data-testid": "find-count" });
    const step = (text, name, by) => button(text, { class: "lb-quiet", "aria-label": name, title: name, onclick: () => this.#step(by) });
    const close = button("✕", { class: "lb-quiet", "aria-label": texts.find.close, title: texts.find.close, onclick: () => this.close() });
    this.node = el("search", { class: "lb-find", "data-testid": "find", hidden: true }, this.field, this.count, step("↑", texts.find.previous, -1), step("↓", texts.find.next, 1), close);
  }

  get isOpen() {
    return !this.node.hidden;
  }

  open() {
    this.node.hidden = false;
    this.field.focus();
    this.field.select();
    this.#search();
  }

  close() {
    this.node.hidden = true;
    this.#clear();
    this.onClose();
  }

  /** A key typed into the field. Returns whether it was one of its commands. */
  onKey({ key, shiftKey }) {
    if (key === "Enter") this.#step(shiftKey ? -1 : 1);
    else if (key === "Escape") this.close();
    return key === "Enter" || key === "Escape";
  }

  /** The texts are others now: count anew, and move nothing. */
  refresh() {
    if (this.isOpen) this.#search({ reveal: false });
  }

  #clear() {
    CSS.highlights?.delete(ALL);
    CSS.highlights?.delete(NOW);
    this.hits = [];
  }

  #search({ reveal = true } = {}) {
    this.#clear();
    const pattern = patternFor(this.field.value);
    if (pattern) for (const body of bodies(this.main)) this.hits.push(...hitsIn(body, pattern, MOST - this.hits.length));
    if (this.hits.length) CSS.highlights?.set(ALL, new Highlight(...this.hits));
    this.at = this.hits.length ? 0 : -1;
    this.#show(reveal);
  }

  #step(by) {
    if (!this.hits.length) return;
    this.at = (this.at + by + this.hits.length) % this.hits.length;
    this.#show(true);
  }

  #show(reveal) {
    const { length } = this.hits;
    this.count.textContent = this.field.value ? texts.find.count(this.at + 1, length, length === MOST) : "";
    if (!length) return;
    CSS.highlights?.set(NOW, new Highlight(this.hits[this.at]));
    if (reveal) bringIntoView(this.hits[this.at], this.main);
  }
}

/** Upper and lower case are the same, and any white space is like any other. */
function patternFor(words) {
  const literal = words.trim().replace(/[\^$\\.*+?()[\]{}|/]/g, "\\$&");
  return literal ? new RegExp(literal.replace(/\s+/g, "\\s+"), "giu") : null;
}

/** Every text on the screen; earlier turns count, since finding something opens them. */
function bodies(main) {
  return [...main.querySelectorAll(".lb-text")].filter((body) => !body.closest(".lb-cards[hidden]"));
}

/** Where the pattern stands in a text. What cannot be seen is passed over: "zero" is found in "ze\u200bro". */
function hitsIn(body, pattern, most) {
  const walker = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
  const nodes = [];
  let text = "";
  while (walker.nextNode()) {
    if (walker.currentNode.parentElement.matches(".lb-unseen")) continue;
    nodes.push({ node: walker.currentNode, start: text.length });
    text += walker.currentNode.data;
  }
  let at = 0;
  const place = (index, isEnd) => {
    while (at + 1 < nodes.length && (isEnd ? nodes[at + 1].start < index : nodes[at + 1].start <= index)) at += 1;
    return [nodes[at].node, index - nodes[at].start];
  };
  const hits = [];
  for (const { 0: found, index } of text.matchAll(pattern)) {
    if (hits.length >= most) break;
    const hit = new Range();
    hit.setStart(...place(index, false));
    hit.setEnd(...place(index + found.length, true));
    hits.push(hit);
  }
  return hits;
}

/** Open what hides it, and scroll every box that it is in. */
function bringIntoView(hit, main) {
  const inside = hit.startContainer.parentElement;
  const earlier = inside.closest(".lb-earlier");
  if (earlier?.hidden) earlier.previousElementSibling.click();
  const folded = inside.closest(".lb-folded");
  if (folded) folded.parentElement.querySelector(".lb-more")?.click();
  inside.closest("[data-card]")?.scrollIntoView({ block: "nearest", inline: "start", behavior: "instant" });
  for (let box = inside; box !== main.parentElement; box = box.parentElement) if (box.scrollHeight > box.clientHeight && /auto|scroll/.test(getComputedStyle(box).overflowY)) centre(hit, box);
}

function centre(hit, box) {
  const { top, bottom } = hit.getBoundingClientRect();
  const view = box.getBoundingClientRect();
  const prompt = box.querySelector(":scope > .lb-prompt");
  const covered = prompt && !prompt.contains(hit.startContainer) && getComputedStyle(prompt).position === "sticky" ? prompt.getBoundingClientRect().bottom - view.top : 0;
  if (prompt?.contains(hit.startContainer) && !covered && getComputedStyle(prompt).position === "sticky") return;
  if (top < view.top + covered || bottom > view.bottom) box.scrollTop += (top + bottom) / 2 - (view.top + covered + view.bottom) / 2;
}
