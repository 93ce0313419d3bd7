// What is said after an answer to a gold item: the right ranking beside one's own, why, and a way on.

import { button, el } from "./dom.js";
import { exactNodes } from "./text.js";

// Sooner than this a press belongs to the answer before: it must not close what nobody has read.
const SETTLE = 500; // milliseconds

const RIGHT = "Your ranking agrees with the known answer.";
const WRONG = "The known answer is another one.";
const EXPLAINED = "This task had a known answer. Such tasks come now and then, to keep everybody's judgment alike.";

/**
 * Show it above everything until the person goes on.
 * @param {{right: object, given: object, correct: boolean, note: string|null}|null|undefined} feedback ranks by letter
 * @returns {Promise<void>} at once where there is nothing to say
 */
export function tell(root, feedback) {
  if (!feedback) return Promise.resolve();
  const shownAt = performance.now();
  const settled = () => performance.now() - shownAt > SETTLE;
  const goOn = button("Continue", { class: "lb-primary", "data-testid": "gold-continue", onclick: (event) => (event.detail > 0 || settled()) && dialog.close() }, "Enter");
  const dialog = el(
    "dialog",
    { class: "lb-dialog lb-gold", "aria-labelledby": "lb-gold-title", "data-testid": "gold-feedback", "data-correct": String(feedback.correct) },
    el("header", {}, el("h2", { id: "lb-gold-title" }, feedback.correct ? RIGHT : WRONG)),
    el("dl", { class: "lb-gold-ranks" }, ...row("right", feedback.right), ...row("yours", feedback.given)),
    feedback.note ? el("div", { class: "lb-text", dir: "auto", "data-testid": "gold-note" }, ...exactNodes(feedback.note)) : null,
    el("p", { class: "lb-muted" }, EXPLAINED),
    goOn,
  );
  dialog.addEventListener("cancel", (event) => settled() || event.preventDefault());
  root.append(dialog);
  dialog.showModal();
  goOn.focus();
  return new Promise((done) => dialog.addEventListener("close", () => (dialog.remove(), done()), { once: true }));
}

const row = (name, ranks) => [el("dt", {}, name), el("dd", { "data-testid": `gold-${name}` }, written(ranks))];

/** Ranks by letter as people write them: B = D > A. */
export function written(ranks) {
  const tiers = new Map();
  for (const [label, rank] of Object.entries(ranks)) tiers.set(rank, [...(tiers.get(rank) ?? []), label]);
  const ordered = [...tiers].sort(([a], [b]) => a - b).map(([, labels]) => labels.sort().join(" = "));
  return ordered.join(" > ") || "–";
}

/** Where to go on, keyed likewise. */
export const LINKS = { exam: { href: "/exam", text: "Go on with the written part" } };

/** Why there is no task, where it is not simply that none are left; keyed by what the server says. */
export const REASONS = {
  paused: "Your work on this project is paused: several tasks with a known answer were answered otherwise. A manager has been told and can let you go on; please read the guidelines again, or ask.",
  exam: "You have done all tasks of the exam. A manager will look at your answers.",
  refused: "You are not admitted to this project yet. A manager will tell you how to go on.",
};
