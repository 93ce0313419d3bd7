// What labelers write, as a value: pure functions. Nothing here knows the page.
//
// answer.written = "…"        the ideal answer, where the project asks for that
// answer.edit = {of: "A",     the completion that it was made from; null: written anew, since all are bad
//                text: "…"}   null as long as nothing was changed

import { t } from "./language.js";

export const LONGEST = 50000; // characters, as in labeler/edits.py

/** Whether the answer to the prompt is written, instead of answers being judged. */
export function writes(schema) {
  return schema.task === "demonstrate";
}

/** Why what was written cannot be submitted yet, as a short sentence; null if it can. */
export function writtenObstacle(written) {
  const length = [...written].length;
  if (!written.trim()) return t("Write the answer first.");
  return length > LONGEST ? t("The answer has {length} characters: shorten it to {longest}.", { length, longest: LONGEST }) : null;
}

/** The better text that a draft holds, if the project asks for one. */
export function editFromDraft(labels, schema, draft) {
  const edit = draft?.edit;
  return schema.edit && edit && (edit.of === null || labels.includes(edit.of)) ? { of: edit.of, text: edit.text } : null;
}

/** What a better text may be made from: one of the best, or nothing (null) where all are bad. */
export function sources(answer) {
  const best = answer.ranking.tiers.find((tier) => tier.length > 0) ?? [];
  return answer.allBad ? [null, ...best] : best;
}

/** The answer with a better text; `before` is the text that it was made from: the same again is no edit. */
export function withText(answer, of, text, before) {
  return { ...answer, edit: text === before ? null : { of, text } };
}

/** Why the better text is in the way of submitting, as a short sentence; null if it is not. */
export function editObstacle(answer, schema) {
  if (!schema.edit) return null;
  const { edit } = answer;
  const [first] = sources(answer);
  if (!edit && schema.edit === "optional") return null;
  if (!edit) return first ? t("Improve {first} in the box behind the completions.", { first }) : t("Write a better one in the box behind the completions.");
  if (!edit.text.trim()) return t("Your better text is empty: write it, or start again.");
  if (sources(answer).includes(edit.of)) return null;
  return edit.of ? t("Your text was made from {label}: rank {label} first, or start again.", { label: edit.of }) : t("You wrote it anew since all were bad: mark them so, or start again.");
}
