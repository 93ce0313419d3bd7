// A dialogue that one person writes in both roles, as a value: pure functions. Nothing here knows the page.
//
// state = {turns: [{role, text, offer, reply, ranks}],   behind the task's own messages
//          shown: [12],                                  ids of all offers that were on the screen
//          writing: {text, offer, reply, ranks},         the turn that is being written
//          done: false,                                  marked as finished
//          removed: []}                                  turns taken away last, to be put back; not kept
// offer = {id, replies: ["…"]}; `reply` is the number of the one that the text was made from, `ranks` one per reply

import { t, tn } from "./language.js";

const NOTHING = { text: "", offer: null, reply: null, ranks: null };

export function fromDraft(draft) {
  const { turns = [], shown = [], writing = NOTHING, done = false } = draft ?? {};
  return { turns, shown, writing: { ...NOTHING, ...writing }, done, removed: [] };
}

export function toDraft({ turns, shown, writing, done }) {
  return { turns, shown, writing, done };
}

export function toSubmission({ turns, shown }) {
  return { turns, shown };
}

/** Whose turn it is: the assistant's after the user's, else the user's. */
export function nextRole(start, { turns }) {
  return [...start, ...turns].at(-1)?.role === "user" ? "assistant" : "user";
}

const blank = (text) => !text.trim();

// The turn that is being written

/** Typing. A text that was emptied owes nothing to a reply any more. */
export function write(state, text) {
  const reply = blank(text) ? null : state.writing.reply;
  return { ...state, writing: { ...state.writing, text, reply }, removed: [] };
}

/** Replies came for the turn that is being written. */
export function offered(state, offer) {
  const writing = { ...state.writing, offer: offer.id, reply: null, ranks: null };
  return { ...state, writing, shown: [...state.shown, offer.id] };
}

/** Go on from a reply. What the person typed before stays, above it; an untouched other reply gives way. */
export function take(state, offer, index) {
  const { text, reply } = state.writing;
  const own = !blank(text) && text !== offer.replies[reply];
  const taken = own ? `${text.trimEnd()}\n\n${offer.replies[index]}` : offer.replies[index];
  return { ...state, writing: { ...state.writing, text: taken, reply: index } };
}

/** @param {number[]|null} ranks one per reply, null where it is not ranked */
export function rank(state, ranks) {
  return { ...state, writing: { ...state.writing, ranks: ranks?.some(Boolean) ? ranks : null } };
}

// Turns

export function add(state, role) {
  const turn = { role, ...state.writing };
  return { ...state, turns: [...state.turns, turn], writing: NOTHING, done: false, removed: [] };
}

export function change(state, index, text) {
  const turns = state.turns.map((turn, at) => (at === index ? { ...turn, text } : turn));
  return { ...state, turns, removed: [] };
}

/** Take a turn away and all that follow it, since they answer it. What was offered for it is offered again. */
export function removeFrom(state, index) {
  const removed = state.turns.slice(index);
  const [{ offer, ranks }] = removed;
  const writing = { ...NOTHING, text: state.writing.text, offer, ranks };
  return { ...state, turns: state.turns.slice(0, index), writing, done: false, removed };
}

export function putBack(state) {
  const writing = { ...NOTHING, text: state.writing.text };
  return { ...state, turns: [...state.turns, ...state.removed], writing, removed: [] };
}

export function toggleDone(state) {
  return { ...state, done: !state.done };
}

/** Where a turn's text comes from, for its tag; "" where the person wrote it. */
export function origin({ text, offer, reply }, offers) {
  const from = offers.get(offer)?.replies[reply];
  if (from === undefined) return "";
  return from === text ? t("suggestion") : t("suggestion, edited");
}

// What it lacks

/** Why the turn cannot be added yet, as a short sentence; null if it can. */
export function addObstacle(state, offer, ranks) {
  if (ranks && offer && !offer.replies.every((_, index) => state.writing.ranks?.[index])) return t("Rank every reply first, then go on with the best or write your own.");
  return blank(state.writing.text) ? t("Write the turn first.") : null;
}

/** Why the dialogue cannot be submitted yet, as a short sentence; null if it can. */
export function obstacle(state) {
  const empty = state.turns.findIndex(({ text }) => blank(text));
  if (empty >= 0) return t("Turn {number} is empty: write it or delete it.", { number: empty + 1 });
  if (!blank(state.writing.text)) return t("Add the turn that you are writing, or clear it.");
  if (state.turns.at(-1)?.role !== "assistant") return t("The dialogue must end with a turn of the assistant.");
  return state.done ? null : t("Mark the dialogue as done first.");
}

/** The dialogue in words, for those who hear the page. */
export function describe(state, role) {
  const count = state.turns.length;
  const written = tn("{count} turn written.", "{count} turns written.", count);
  const next = role === "user" ? t("Now the user's turn.") : t("Now the assistant's turn.");
  return [written, state.done ? t("The dialogue is done.") : next].join(" ");
}
