// Drawing the prompt and the completions of one task.

import { button, el } from "./dom.js";
import { exactNodes, foldLong } from "./text.js";
import { texts } from "./texts.js";

/** The prompt: the last turn in view, earlier turns behind a button. */
export function drawPrompt(messages) {
  const turns = messages.map((message) => drawTurn(message));
  const earlier = turns.slice(0, -1);
  const section = el("section", { class: "lb-prompt", "data-testid": "prompt", tabindex: "0", "aria-label": texts.prompt.name });
  if (earlier.length) section.append(...earlierTurns(messages, earlier));
  const tags = el("div", { class: "lb-tags" });
  section.append(turns.at(-1).node, tags);
  return { node: section, folds: turns, tags };
}

function drawTurn(message) {
  const body = el("div", { class: "lb-text", dir: "auto" }, ...exactNodes(message.content));
  const foot = el("div", { class: "lb-foot" });
  const role = el("div", { class: "lb-role" }, texts.prompt.roles[message.role]);
  return { node: el("div", { class: "lb-turn", "data-role": message.role }, role, el("div", {}, body, foot)), body, foot, text: message.content };
}

function earlierTurns(messages, turns) {
  const box = el("div", { class: "lb-earlier", hidden: true }, ...turns.map((turn) => turn.node));
  const system = messages[0].role === "system" ? 1 : 0;
  const name = texts.prompt.earlier(Boolean(system), turns.length - system);
  const toggle = button(`▸ ${name}`, { class: "lb-fold-turns", "aria-expanded": "false" });
  toggle.addEventListener("click", () => {
    box.hidden = !box.hidden;
    toggle.textContent = `${box.hidden ? "▸" : "▾"} ${name}`;
    toggle.setAttribute("aria-expanded", String(!box.hidden));
    if (!box.hidden) foldLong(turns);
  });
  return [toggle, box];
}

/**
 * The completions as cards, in the order given by the server.
 * @param {(label: string) => void} onTap the letter of a card was tapped
 */
export function drawCards(completions, onTap) {
  const cards = completions.map((completion) => drawCard(completion, onTap));
  const node = el("div", { class: "lb-cards", "data-k": completions.length }, ...cards.map((card) => card.node));
  return { node, cards: new Map(cards.map((card) => [card.label, card])), folds: cards };
}

function drawCard({ label, text }, onTap) {
  const body = el("div", { class: "lb-text", dir: "auto", "data-testid": "completion", "data-label": label }, ...exactNodes(text));
  if (!text) body.setAttribute("data-empty", texts.card.empty);
  const foot = el("div", { class: "lb-foot" });
  const letter = button(label, { class: "lb-letter", "aria-pressed": "false", onclick: () => onTap(label), tabindex: "-1" });
  const rank = el("span", { class: "lb-card-rank" });
  const tags = el("div", { class: "lb-tags" });
  const head = el("header", { class: "lb-card-head" }, letter, rank, tags);
  const node = el(
    "article",
    { class: "lb-card", "data-card": label, tabindex: "0", "aria-label": texts.card.name(label) },
    head, body, foot,
  );
  return { label, node, head, tags, body, foot, letter, rank, text };
}

/** Show on each card where it is ranked; `asked`: whether the project wants a ranking. */
export function markCards(cards, ranks, asked) {
  for (const { label, node, letter, rank } of cards.values()) {
    const at = ranks[label];
    rank.hidden = !asked;
    letter.disabled = !asked;
    rank.textContent = texts.card.rank(at);
    node.classList.toggle("lb-ranked", Boolean(at));
    letter.setAttribute("aria-pressed", String(Boolean(at)));
    letter.setAttribute("aria-label", texts.card.take(label, at));
  }
}
