// Help, guidelines, history and the reason for a skip. Native dialogs: they keep the focus and close with Escape.

import { asksMarks } from "./answer.js";
import { button, el } from "./dom.js";
import { writes } from "./editing.js";
import { EDIT_KEYS } from "./editstep.js";
import { language, t } from "./language.js";
import { exactNodes } from "./text.js";
import { texts } from "./texts.js";
import { PROMPT_FLAG_KEYS, WRITE_KEYS } from "./writestep.js";

/** Open a dialog inside `root`, and take it out of the page when it closes. */
export function open(root, title, content, { side = false, testid = null } = {}) {
  const close = button(texts.dialog.close, { class: "lb-quiet", onclick: () => dialog.close() }, "Esc");
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
  const { help } = texts;
  const marks = schema && asksMarks(schema);
  const writing = schema && writes(schema);
  const always = help.keys.filter(([key]) => (key !== "x" || (schema?.all_bad ?? true)) && !(writing && ["Enter", "x", "v"].includes(key)));
  const sections = writing ? [[t("Writing"), [...WRITE_KEYS, ...(marks ? PROMPT_FLAG_KEYS : [])]], [t("Out of the text"), always]] : [
    [help.rating, [...(marks ? help.rateKeys : []), ...(marks && schema.prompt_flags.length ? help.promptKeys : []), ...(marks && schema.ranking ? help.stepKeys : [])]],
    [help.chat, schema?.task === "chat" ? help.chatKeys : []],
    [help.ranking, !schema || (schema.ranking && schema.task !== "chat") || schema.replies ? (schema?.strength ? help.strengthKeys : help.rankKeys) : []],
    [t("Improving the best"), schema?.edit ? EDIT_KEYS : []],
    [help.always, always],
  ].filter(([, keys]) => keys.length);
  const rows = sections.map(([title, keys]) => [el("h3", {}, title), el("dl", { class: "lb-keys" }, ...keys.flatMap(keyRow))]).flat();
  const mouse = el("p", {}, help.mouse);
  return open(root, help.title, el("div", {}, ...rows, writing ? null : mouse), { testid: "help" });
}

const keyRow = ([keys, meaning]) => [el("dt", {}, el("kbd", {}, keys)), el("dd", {}, meaning)];

export function openGuidelines(root, project) {
  const text = project.guidelines || texts.guidelines.none;
  const version = project.guidelines ? el("p", { class: "lb-muted" }, texts.guidelines.version(project.guidelines_version)) : null;
  const body = el("div", {}, version, el("div", { class: "lb-text", dir: "auto" }, ...exactNodes(text)));
  return open(root, texts.guidelines.title(project.name), body, { side: true, testid: "guidelines" });
}

/**
 * @param {(judgmentId: number) => void} onReopen
 * @param {(close: () => void) => HTMLElement[]} newsOf lines to show before the judgments
 */
export function openHistory(root, items, onReopen, newsOf = () => []) {
  const sentBackFirst = [...items].sort((a, b) => Boolean(b.again) - Boolean(a.again));
  const rows = sentBackFirst.map((item) => {
    const reopen = button(texts.history.correct, { class: "lb-quiet", onclick: () => (dialog.close(), onReopen(item.judgment)) });
    const when = el("time", { datetime: item.at, class: "lb-muted" }, shortTime(item.at));
    const what = el("div", { class: "lb-history-what" }, el("div", { class: "lb-clip" }, ...exactNodes(item.prompt)), el("div", {}, item.summary, " · ", when), againLine(item.again));
    return el("li", {}, what, reopen);
  });
  rows.unshift(...newsOf(() => dialog.close()));
  const list = rows.length ? el("ul", { class: "lb-history" }, ...rows) : el("p", {}, texts.history.none);
  const own = el("p", {}, el("a", { href: "/mine", "data-testid": "my-work" }, texts.history.own));
  const dialog = open(root, texts.history.title, el("div", {}, own, list), { side: true, testid: "history" });
  return dialog;
}

function againLine(comment) {
  return comment ? el("div", { class: "lb-alert", "data-testid": "again" }, texts.history.again(comment)) : null;
}

export function shortTime(at) {
  const time = new Date(at);
  return Number.isNaN(time.valueOf()) ? at : time.toLocaleString(language === "en" ? undefined : language, { dateStyle: "medium", timeStyle: "short" });
}

/** @param {(reason: string) => void} onSkip called with a non-empty reason */
export function openSkip(root, before, onSkip) {
  const known = texts.skip.reasons.some(([kept]) => kept === before);
  const choices = texts.skip.reasons.map(([kept, shown]) =>
    el("label", {}, el("input", { type: "radio", name: "lb-reason", value: kept, checked: kept === before }), shown),
  );
  const more = el("input", { type: "text", maxlength: "2000", autofocus: true, autocomplete: "off", "aria-label": texts.skip.own, placeholder: texts.skip.ownHint, "data-testid": "skip-text" });
  more.value = known ? "" : (before ?? "");
  const confirm = el("button", { type: "submit", class: "lb-primary", "data-testid": "skip-confirm" }, texts.skip.confirm);
  const form = el("form", { class: "lb-skip" }, el("p", {}, texts.skip.why), ...choices, more, confirm);
  const reason = () => [form.querySelector("input:checked")?.value, more.value.trim()].filter(Boolean).join(": ");
  const update = () => (confirm.disabled = !reason());
  form.addEventListener("input", update);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!reason()) return;
    dialog.close();
    onSkip(reason());
  });
  const dialog = open(root, texts.skip.title, form, { testid: "skip-dialog" });
  update();
  return dialog;
}
