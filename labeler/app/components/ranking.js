// The ranking as a value: pure functions from one state to the next. Nothing here knows the page.
//
// state = {labels: ["A", "B", "C"],        all completions, as shown
//          tiers: [["B"], [], ["A"]],      best first; an empty tier is a place left free while ranks are typed as digits
//          trail: ["A", "B"],              in the order in which they were placed, for Backspace
//          tie: false}                     "=" was typed: the next letter joins the one before

import { texts } from "./texts.js";

/** Nothing ranked yet: untouched means unranked. */
export function emptyRanking(labels) {
  return { labels, tiers: [], trail: [], tie: false };
}

/** The state that a saved draft holds: `ranks` by label, 1 best, gaps allowed. */
export function fromDraft(labels, draft) {
  const ranks = draft?.ranks ?? {};
  const ranked = labels.filter((label) => ranks[label]);
  const tiers = Array.from({ length: Math.max(0, ...ranked.map((label) => ranks[label])) }, () => []);
  for (const label of ranked) tiers[ranks[label] - 1].push(label);
  const trail = (draft?.trail ?? []).filter((label) => ranked.includes(label));
  const rest = ranked.filter((label) => !trail.includes(label)).sort((a, b) => ranks[a] - ranks[b]);
  return { labels, tiers, trail: [...rest, ...trail], tie: Boolean(draft?.tie) && ranked.length > 0 };
}

/** Rank by label, counted from 1; labels that are not ranked are left out. */
export function ranksOf(state) {
  return Object.fromEntries(state.tiers.flatMap((tier, index) => tier.map((label) => [label, index + 1])));
}

export function rankOf(state, label) {
  return ranksOf(state)[label] ?? null;
}

export function unranked(state) {
  const ranks = ranksOf(state);
  return state.labels.filter((label) => !ranks[label]);
}

export function isComplete(state) {
  return unranked(state).length === 0;
}

function without(state, label) {
  return {
    ...state,
    tiers: state.tiers.map((tier) => tier.filter((other) => other !== label)),
    trail: state.trail.filter((other) => other !== label),
  };
}

function placed(state, label, tiers) {
  return { ...state, tiers, trail: [...state.trail, label], tie: false };
}

const closeGaps = (tiers) => tiers.filter((tier) => tier.length > 0);
const trimEnd = (tiers) => tiers.slice(0, tiers.findLastIndex((tier) => tier.length > 0) + 1);

/** Put a completion behind all others or, after "=", beside the one placed last. One already ranked stays where it is. */
export function place(state, label) {
  const last = state.trail.at(-1);
  if (state.tie && last && last !== label) {
    const rest = without(state, label);
    return placed(rest, label, closeGaps(rest.tiers.map((tier) => (tier.includes(last) ? [...tier, label] : tier))));
  }
  if (rankOf(state, label)) return state;
  return placed(state, label, [...state.tiers, [label]]);
}

/** "=": the next letter ties with the one before; a second "=" takes it back. */
export function toggleTie(state) {
  return state.trail.length ? { ...state, tie: !state.tie } : state;
}

/** Backspace: first a pending "=", then the completion placed last. */
export function takeBack(state) {
  if (state.tie) return { ...state, tie: false };
  return state.trail.length ? unrank(state, state.trail.at(-1)) : state;
}

export function unrank(state, label) {
  const rest = without(state, label);
  return { ...rest, tiers: closeGaps(rest.tiers), tie: false };
}

/** A tap: place it, or take it off the ranking again. */
export function toggle(state, label) {
  return rankOf(state, label) && !state.tie ? unrank(state, label) : place(state, label);
}

/** A digit: rank n exactly; the same digit on two is a tie, and places in between may stay free for now. */
export function setRank(state, label, rank) {
  const rest = without(state, label);
  const tiers = Array.from({ length: Math.max(rank, rest.tiers.length) }, (_, index) => rest.tiers[index] ?? []);
  return placed(rest, label, trimEnd(tiers.map((tier, index) => (index === rank - 1 ? [...tier, label] : tier))));
}

/** Drop onto a tier: a tie with what is there. `index` counts the tiers as they are now. */
export function moveToTier(state, label, index) {
  if (state.tiers[index]?.includes(label)) return state;
  const rest = without(state, label);
  return placed(rest, label, closeGaps(rest.tiers.map((tier, at) => (at === index ? [...tier, label] : tier))));
}

/** Drop between tiers: a tier of its own before tier `index` (or behind the last). */
export function moveToGap(state, label, index) {
  const rest = without(state, label);
  const tiers = [...rest.tiers];
  tiers.splice(index, 0, [label]);
  return placed(rest, label, closeGaps(tiers));
}

/**
 * An arrow key on a chip. Sideways it goes through every place there is: out of a tie into a tier of its own, from its
 * own tier into a tie with the neighbour.
 * @param {-1|1} direction -1 towards best, 1 towards worst
 */
export function step(state, label, direction) {
  const rank = rankOf(state, label);
  if (!rank) return place({ ...state, tie: false }, label);
  const index = rank - 1;
  if (state.tiers[index].length > 1) return moveToGap(state, label, direction < 0 ? index : index + 1);
  const neighbour = index + direction;
  return neighbour in state.tiers ? moveToTier(state, label, neighbour) : state;
}

/** The ranking in words, for those who hear the page. */
export function describe(state) {
  const tiers = closeGaps(state.tiers).map((tier) => (tier.length > 1 ? texts.ranking.tied(tier) : tier[0]));
  const open = unranked(state);
  const ranked = tiers.length ? texts.ranking.order(tiers) : texts.ranking.nothing;
  const rest = open.length ? texts.ranking.open(open) : texts.ranking.complete;
  return [ranked, rest, ...(state.tie ? [texts.ranking.tieNext] : [])].join(" ");
}
