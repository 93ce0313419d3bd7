// The answer to one task as a value, and what it still lacks: pure functions. Nothing here knows the page.
//
// answer = {ranking,                          see ranking.js
//           ratings: {A: 5},                  1 to 7 by label
//           flags: {A: ["made_up"]},          names of set flags by label
//           promptFlags: ["ambiguous"],
//           strength: null, allBad: false, note: "", reason: null,
//           written: "", edit: null}        see editing.js
// schema = what the project asks, as the server sends it: see labeler/label_schema.py

import * as editing from "./editing.js";
import { t } from "./language.js";
import * as ranking from "./ranking.js";
import { texts } from "./texts.js";

/** Where flags belong to the prompt instead of a completion. */
export const PROMPT = "prompt";
export const RATINGS = [1, 2, 3, 4, 5, 6, 7];

/** The answer that a saved draft holds; what the project asks no more is left out. Nothing is filled in beforehand. */
export function fromDraft(labels, schema, draft) {
  const known = (flags, names = []) => flags.map(({ name }) => name).filter((name) => names.includes(name));
  const flags = labels.map((label) => [label, known(schema.flags, draft?.flags?.[label])]);
  const ratings = rates(schema) ? Object.entries(draft?.ratings ?? {}).filter(([label]) => labels.includes(label)) : [];
  return {
    ranking: ranking.fromDraft(labels, schema.ranking ? draft : null),
    ratings: Object.fromEntries(ratings),
    flags: Object.fromEntries(flags.filter(([, names]) => names.length)),
    promptFlags: known(schema.prompt_flags, draft?.prompt_flags),
    strength: asksStrength(labels, schema) ? (draft?.strength ?? null) : null,
    allBad: schema.all_bad && Boolean(draft?.all_bad),
    note: draft?.note ?? "",
    reason: draft?.reason ?? null,
    written: editing.writes(schema) ? (draft?.written ?? "") : "",
    edit: editing.editFromDraft(labels, schema, draft),
  };
}

/** What is judged, under the names of the server. */
function marks(answer) {
  const { ratings, flags, promptFlags, strength, allBad, edit } = answer;
  const written = answer.written || null;
  return { ranks: ranking.ranksOf(answer.ranking), ratings, flags, prompt_flags: promptFlags, strength, all_bad: allBad, written, edit };
}

export function toDraft(answer) {
  const { trail, tie } = answer.ranking;
  return { ...marks(answer), trail, tie, note: answer.note, reason: answer.reason };
}

export function toSubmission(answer) {
  return { kind: answer.written ? "write" : "rank", ...marks(answer) };
}

export function rates(schema) {
  return schema.task === "rate";
}

/** Whether there is anything to say of the completions or the prompt beside the ranking. */
export function asksMarks(schema) {
  return rates(schema) || schema.flags.length + schema.prompt_flags.length > 0;
}

export function asksStrength(labels, schema) {
  return schema.strength && labels.length === 2;
}

/** How many completions have to be ranked. */
export function wanted(labels, schema) {
  return schema.ranking ? Math.min(schema.top ?? labels.length, labels.length) : 0;
}

// Changes

/** With another ranking; a strength belongs to the preference that it was given for. */
export function withRanking(answer, next) {
  const kept = preferred(next) !== null && preferred(next) === preferred(answer.ranking);
  return { ...answer, ranking: next, strength: kept ? answer.strength : null };
}

/** The label of the better one of two, null as long as neither is. */
export function preferred(state) {
  const [first] = state.tiers;
  return state.labels.length === 2 && ranking.isComplete(state) && first.length === 1 ? first[0] : null;
}

/** How much better the preferred one is. Where only one is ranked so far, it is the better one: the other goes behind it. */
export function withStrength(answer, strength) {
  const [other, ...rest] = ranking.unranked(answer.ranking);
  const state = other && !rest.length ? ranking.place({ ...answer.ranking, tie: false }, other) : answer.ranking;
  return preferred(state) ? { ...withRanking(answer, state), strength } : answer;
}

export function withRating(answer, label, rating) {
  const { [label]: _, ...rest } = answer.ratings;
  return { ...answer, ratings: rating ? { ...rest, [label]: rating } : rest };
}

export function flagsOf(answer, target) {
  return target === PROMPT ? answer.promptFlags : (answer.flags[target] ?? []);
}

export function toggleFlag(answer, target, name) {
  const before = flagsOf(answer, target);
  const after = before.includes(name) ? before.filter((other) => other !== name) : [...before, name];
  return target === PROMPT ? { ...answer, promptFlags: after } : { ...answer, flags: { ...answer.flags, [target]: after } };
}

// What it lacks

export function unrated(answer, schema) {
  return rates(schema) ? answer.ranking.labels.filter((label) => !answer.ratings[label]) : [];
}

/** Whether the ranking is as the project asks, or waived by "all bad". */
export function isRanked(answer, schema) {
  return rankingObstacle(answer, schema) === null;
}

/** Why the answer cannot be submitted yet, as a short sentence; null if it can. */
export function obstacle(answer, schema) {
  if (editing.writes(schema)) return editing.writtenObstacle(answer.written);
  const open = unrated(answer, schema);
  if (open.length) return texts.answer.rateFirst(open);
  return rankingObstacle(answer, schema) ?? strengthObstacle(answer, schema) ?? editing.editObstacle(answer, schema);
}

function rankingObstacle(answer, schema) {
  const { labels, tiers } = answer.ranking;
  const open = ranking.unranked(answer.ranking);
  const count = wanted(labels, schema);
  const worst = tiers.at(-1) ?? [];
  if (count && count < labels.length && labels.length - open.length - worst.length >= count) return texts.answer.tooMany(count, worst);
  if (answer.allBad || labels.length - open.length >= count) return null;
  const { rankBest, rankBestOrBad, rankFirst, rankFirstOrBad } = texts.answer;
  const [best, first] = schema.all_bad ? [rankBestOrBad, rankFirstOrBad] : [rankBest, rankFirst];
  return count < labels.length ? best(count, labels.length) : first(open, labels.length);
}

function strengthObstacle(answer, schema) {
  const better = preferred(answer.ranking);
  const asked = asksStrength(answer.ranking.labels, schema) && better && !answer.allBad;
  return asked && !answer.strength ? texts.answer.strengthFirst(better) : null;
}

/** How much of each step is done, as "2/4"; null where there is one step only. */
export function done(answer, schema) {
  if (!asksMarks(schema) || !schema.ranking) return null;
  const { labels } = answer.ranking;
  const rated = rates(schema) ? `${labels.length - unrated(answer, schema).length}/${labels.length}` : "";
  return { rated, ranked: `${labels.length - ranking.unranked(answer.ranking).length}/${wanted(labels, schema)}` };
}

/** The answer in words, for those who hear the page. */
export function describe(answer, schema) {
  const rated = Object.entries(answer.ratings).sort();
  const strength = answer.strength ? texts.strength.is(preferred(answer.ranking), answer.strength) : "";
  const better = answer.edit ? t("With a better text.") : "";
  const parts = [answer.allBad ? texts.answer.allBad : "", ...rated.map(([label, rating]) => texts.answer.rated(label, rating)), schema.ranking ? ranking.describe(answer.ranking) : "", strength, better];
  return parts.filter(Boolean).join(" ");
}
