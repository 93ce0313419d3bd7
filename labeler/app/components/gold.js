// What is said after an answer to a gold item: the right ranking beside one's own, why, and a way on.

import { button, el } from "./dom.js";
import { exactNodes } from "./text.js";
import { texts } from "./texts.js";

// Sooner than this a press belongs to the answer before: it must not close what nobody has read.
const SETTLE = 500; // milliseconds

/**
 * Show it above everything until the person goes on.
 * @param {{right: object, given: object, correct: boolean, note: string|null}|null|undefined} feedback ranks by letter
 * @returns {Promise<void>} at once where there is nothing to say
 */
export function tell(root, feedback) {
  if (!feedback) return Promise.resolve();
  const shownAt = performance.now();
  const settled = () => performance.now() - shownAt > SETTLE;
  const goOn = button(texts.gold.goOn, { class: "lb-primary", "data-testid": "gold-continue", onclick: (event) => (event.detail > 0 || settled()) && dialog.close() }, "Enter");
  const dialog = el(
    "dialog",
    { class: "lb-dialog lb-gold", "aria-labelledby": "lb-gold-title", "data-testid": "gold-feedback", "data-correct": String(feedback.correct) },
    el("header", {}, el("h2", { id: "lb-gold-title" }, feedback.correct ? texts.gold.right : texts.gold.wrong)),
    el("dl", { class: "lb-gold-ranks" }, ...row("right", texts.gold.known, feedback.right), ...row("yours", texts.gold.yours, feedback.given)),
    feedback.note ? el("div", { class: "lb-text", dir: "auto", "data-testid": "gold-note" }, ...exactNodes(feedback.note)) : null,
    el("p", { class: "lb-muted" }, texts.gold.explained),
    goOn,
  );
  dialog.addEventListener("cancel", (event) => settled() || event.preventDefault());
  root.append(dialog);
  dialog.showModal();
  goOn.focus();
  return new Promise((done) => dialog.addEventListener("close", () => (dialog.remove(), done()), { once: true }));
}

const row = (which, name, ranks) => [el("dt", {}, name), el("dd", { "data-testid": `gold-${which}` }, written(ranks))];

/** Ranks by letter as people write them: B = D > A. */
export function written(ranks) {
  const tiers = new Map();
  for (const [label, rank] of Object.entries(ranks)) tiers.set(rank, [...(tiers.get(rank) ?? []), label]);
  const ordered = [...tiers].sort(([a], [b]) => a - b).map(([, labels]) => labels.sort().join(" = "));
  return ordered.join(" > ") || "–";
}

/** Where to go on, where that is elsewhere; keyed by why there is no task. */
export const onward = (why) => (why === "exam" ? { href: "/exam", text: texts.gold.writtenPart } : null);
