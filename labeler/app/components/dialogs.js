// Help, guidelines, history and the reason for a skip. Native dialogs: they keep the focus and close with Escape.

import { asksMarks } from "./answer.js";
import { button, el } from "./dom.js";
import { exactNodes } from "./text.js";

const REASONS = [
  "I cannot judge the subject",
  "The prompt is unclear",
  "The prompt asks for something harmful",
  "A text is broken or in a language I do not read",
  "It contains personal data",
];

const RANK_KEYS = [
  ["A B C …", "rank next; already ranked letters stay where they are"],
  ["=", "the next letter ties with the one before"],
  ["Backspace", "take the last one back"],
  ["Tab", "go to a chip or a completion"],
  ["1 2 3 …", "put the focused one at that rank; the same digit on two is a tie"],
  ["← →", "move the focused chip: into a tie with its neighbour, then past it"],
  ["↑ ↓", "rank the focused chip next; take it off the ranking"],
];
const STRENGTH_KEYS = [
  ["A or B", "the better one; then, or before the other letter:"],
  ["1 2 3 4", "negligibly, slightly, clearly, significantly better"],
  ["=", "after the first letter: the other ties with it"],
  ["Backspace", "take the last one back"],
];
const RATE_KEYS = [
  ["1 … 7", "rate the marked completion, 1 worst to 7 best, and go to the next"],
  ["letters", "set or take back the flag that shows the letter; flags first, then the rating"],
  ["← →", "the completion before or after"],
  ["Tab", "go to a completion"],
  ["Backspace", "take the last rating back"],
];
const CHAT_KEYS = [
  ["w", "write the next turn"],
  ["Ctrl Enter", "add the turn, while writing it; Enter begins a new line"],
  ["Esc", "from the text to the keys below"],
  ["q", "ask for suggestions"],
  ["A B C …", "insert that suggestion or, where replies are ranked, rank it next"],
  ["Enter", "go on with the best reply; add the turn; submit"],
  ["Backspace", "take the last rank back, or delete the last turn"],
  ["p", "put deleted turns back"],
  ["x", "the dialogue is done"],
];
const PROMPT_KEYS = [["0", "flags of the prompt"]];
const STEP_KEYS = [["r", "between rating and ranking"]];
const KEYS = [
  ["Enter", "submit, or go on to the ranking"],
  ["x", "all bad"],
  ["s", "skip, with a reason"],
  ["n", "note"],
  ["u", "bring the last one back to correct it"],
  ["v", "compare two completions, differences marked"],
  ["m", "unfold or fold every long text"],
  ["g", "guidelines"],
  ["h", "history"],
  [";", "comments on this task"],
  ["?", "this sheet"],
];

const AGAIN = "Please look again";

/** Open a dialog inside `root`, and take it out of the page when it closes. */
export function open(root, title, content, { side = false, testid = null } = {}) {
  const close = button("Close", { class: "lb-quiet", onclick: () => dialog.close() }, "Esc");
  const head = el("header", {}, el("h2", {}, title), close);
  const dialog = el("dialog", { class: side ? "lb-dialog lb-side" : "lb-dialog", "aria-label": title, "data-testid": testid }, head, content);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  root.append(dialog);
  dialog.showModal();
  return dialog;
}

/** @param {object} [schema] of the project: keys of what it does not ask for are left out */
export function openHelp(root, schema) {
  const marks = schema && asksMarks(schema);
  const sections = [
    ["Rating and flags", [...(marks ? RATE_KEYS : []), ...(marks && schema.prompt_flags.length ? PROMPT_KEYS : []), ...(marks && schema.ranking ? STEP_KEYS : [])]],
    ["Dialogue", schema?.task === "chat" ? CHAT_KEYS : []],
    ["Ranking", !schema || (schema.ranking && schema.task !== "chat") || schema.replies ? (schema?.strength ? STRENGTH_KEYS : RANK_KEYS) : []],
    ["Always", KEYS.filter(([key]) => key !== "x" || (schema?.all_bad ?? true))],
  ].filter(([, keys]) => keys.length);
  const rows = sections.map(([title, keys]) => [el("h3", {}, title), el("dl", { class: "lb-keys" }, ...keys.flatMap(keyRow))]).flat();
  const mouse = el("p", {}, "Where a completion has the letter of a command, Shift with that letter gives the command. Chips can also be dragged: onto a rank for a tie, between ranks for a rank of their own, and back to the unranked ones. Tapping chips or letters ranks them in that order.");
  return open(root, "Keys", el("div", {}, ...rows, mouse), { testid: "help" });
}

const keyRow = ([keys, meaning]) => [el("dt", {}, el("kbd", {}, keys)), el("dd", {}, meaning)];

export function openGuidelines(root, project) {
  const text = project.guidelines || "No guidelines were written for this project.";
  const version = project.guidelines ? el("p", { class: "lb-muted" }, `Version ${project.guidelines_version}`) : null;
  const body = el("div", {}, version, el("div", { class: "lb-text", dir: "auto" }, ...exactNodes(text)));
  return open(root, `Guidelines: ${project.name}`, body, { side: true, testid: "guidelines" });
}

/**
 * @param {(judgmentId: number) => void} onReopen
 * @param {(close: () => void) => HTMLElement[]} newsOf lines to show before the judgments
 */
export function openHistory(root, items, onReopen, newsOf = () => []) {
  const sentBackFirst = [...items].sort((a, b) => Boolean(b.again) - Boolean(a.again));
  const rows = sentBackFirst.map((item) => {
    const reopen = button("Correct", { class: "lb-quiet", onclick: () => (dialog.close(), onReopen(item.judgment)) });
    const when = el("time", { datetime: item.at, class: "lb-muted" }, shortTime(item.at));
    const what = el("div", { class: "lb-history-what" }, el("div", { class: "lb-clip" }, ...exactNodes(item.prompt)), el("div", {}, item.summary, " · ", when), againLine(item.again));
    return el("li", {}, what, reopen);
  });
  rows.unshift(...newsOf(() => dialog.close()));
  const list = rows.length ? el("ul", { class: "lb-history" }, ...rows) : el("p", {}, "Nothing judged yet.");
  const own = el("p", {}, el("a", { href: "/mine", "data-testid": "my-work" }, "My pace and agreement"));
  const dialog = open(root, "Your last judgments", el("div", {}, own, list), { side: true, testid: "history" });
  return dialog;
}

function againLine(comment) {
  return comment ? el("div", { class: "lb-alert", "data-testid": "again" }, `${AGAIN}: ${comment}`) : null;
}

export function shortTime(at) {
  const time = new Date(at);
  return Number.isNaN(time.valueOf()) ? at : time.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/** @param {(reason: string) => void} onSkip called with a non-empty reason */
export function openSkip(root, before, onSkip) {
  const known = REASONS.includes(before);
  const choices = REASONS.map((reason) =>
    el("label", {}, el("input", { type: "radio", name: "lb-reason", value: reason, checked: reason === before }), reason),
  );
  const more = el("input", { type: "text", maxlength: "2000", autofocus: true, autocomplete: "off", "aria-label": "Reason in your own words", placeholder: "Or in your own words", "data-testid": "skip-text" });
  more.value = known ? "" : (before ?? "");
  const confirm = el("button", { type: "submit", class: "lb-primary", "data-testid": "skip-confirm" }, "Skip this task");
  const form = el("form", { class: "lb-skip" }, el("p", {}, "Why? A skipped task does not come back to you."), ...choices, more, confirm);
  const reason = () => [form.querySelector("input:checked")?.value, more.value.trim()].filter(Boolean).join(": ");
  const update = () => (confirm.disabled = !reason());
  form.addEventListener("input", update);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!reason()) return;
    dialog.close();
    onSkip(reason());
  });
  const dialog = open(root, "Skip", form, { testid: "skip-dialog" });
  update();
  return dialog;
}
