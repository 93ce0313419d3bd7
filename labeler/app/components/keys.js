// The keyboard of the labeling screen: one place that says which key does what.

import { PROMPT } from "./answer.js";
import { takesText } from "./dom.js";
import { texts } from "./texts.js";

// The same letters as COMMAND_KEYS of labeler/label_schema.py: no flag has them.
const COMMANDS = /^[GHMNRSUVX]$/;

/**
 * Listen for keys until the returned function is called. Keys are taken before the page around the board sees them.
 * @param {object} board what the keys act on: its methods are the commands
 */
export function listen(board) {
  const down = (event) => {
    if (event.key === "Enter") board.enterHeld = true;
    if (board.sending || event.isComposing || document.querySelector("dialog[open]")) return;
    if (event.target === board.shown.find.field) return board.shown.find.onKey(event) ? swallow(event) : event.stopImmediatePropagation();
    if (takesText(event.target)) return board.chat?.inText(event) ? swallow(event) : leaveText(event, board);
    if (board.task && !board.chat && isSend(event)) return take(event, () => board.enter(event.repeat, { sends: true }));
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = command(event, board);
    if (act) take(event, act);
  };
  const up = (event) => {
    // While Cmd is held, macOS does not tell that Enter was let go.
    if (event.key === "Enter" || event.key === "Meta") board.enterHeld = board.enterStale = false;
  };
  const blur = () => (board.enterHeld = false);
  window.addEventListener("keydown", down, { capture: true });
  window.addEventListener("keyup", up, { capture: true });
  window.addEventListener("blur", blur);
  return () => {
    window.removeEventListener("keydown", down, { capture: true });
    window.removeEventListener("keyup", up, { capture: true });
    window.removeEventListener("blur", blur);
  };
}

function swallow(event) {
  event.preventDefault();
  event.stopImmediatePropagation();
}

/** Do this instead of what the page would do with the key. */
function take(event, act) {
  swallow(event);
  act();
}

const isSend = (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey);

/** Escape and Ctrl+Enter end a text; where the text is the answer, Ctrl+Enter submits it. */
function leaveText(event, board) {
  if (!(event.key === "Escape" || isSend(event)) || event.target.matches("select")) return;
  const submits = isSend(event) && event.target.matches("[data-submits]");
  take(event, submits ? () => board.enter(event.repeat, { sends: true }) : () => board.focusBoard());
}

/** The action for a key press, or null to leave the key to the page. */
function command(event, board) {
  const letter = event.key.length === 1 ? event.key.toUpperCase() : event.key;
  const plain = plainKey(event, letter, board);
  if (!board.task) return /^[UGH?.*!]$/.test(letter) ? plain : null;
  if (board.chat) return board.chat.command(event, letter) ?? plain;
  if (board.rating?.active) return rateKey(event, letter, board) ?? plain;
  // Where there are completions G, H and so on, they take the keys of commands; with Shift those still work.
  if (board.hasLabel(letter) && !(plain && event.shiftKey)) return () => board.ranking.typeLetter(letter, event.repeat);
  if (board.writing) return plain;
  if (letter === "0" && board.rating) return () => board.rating.go(PROMPT);
  if (/^[1-9]$/.test(letter)) return digit(board, Number(letter));
  return arrow(event, board) ?? plain;
}

/** Digits rate and letters flag the completion that one is at; the letters of commands are never a flag's. */
function rateKey(event, letter, board) {
  const { rating } = board;
  if (letter === "0") return () => rating.go(PROMPT);
  if (/^[1-7]$/.test(letter)) return event.repeat ? () => {} : () => rating.rate(Number(letter));
  if (event.key === "ArrowLeft") return () => rating.next(-1);
  if (event.key === "ArrowRight") return () => rating.next(1);
  if (!/^[A-Z]$/.test(letter) || COMMANDS.test(letter)) return null;
  if (rating.flagsFor(rating.current).length === 0 && board.hasLabel(letter)) return () => board.ranking.typeLetter(letter, event.repeat);
  return () => event.repeat || rating.typeFlag(letter) || board.say(texts.rating.noFlag(letter));
}

function digit(board, rank) {
  if (board.ranking.asksStrength) return () => board.ranking.setStrength(rank);
  const label = focusedLabel();
  if (!label) return () => board.say(texts.board.focusFirst);
  return () => board.ranking.typeRank(label, rank);
}

function arrow(event, board) {
  const label = document.activeElement?.matches?.(".lb-chip") ? document.activeElement.dataset.label : null;
  if (!label) return null;
  return {
    ArrowLeft: () => board.ranking.step(label, -1),
    ArrowRight: () => board.ranking.step(label, 1),
    ArrowUp: () => board.ranking.typeLetter(label, false),
    ArrowDown: () => board.ranking.unrank(label),
  }[event.key];
}

function plainKey(event, letter, board) {
  if (event.key === "Enter") return onOwnControl(event.target) ? null : () => board.enter(event.repeat);
  const commands = {
    "=": () => board.ranking.toggleTie(),
    Backspace: () => board.takeBack(),
    Escape: () => board.escape(),
    "?": () => board.openHelp(),
    "/": () => board.openFind(),
    "*": () => board.toggleReading(),
    ".": () => board.pause(),
    "!": () => board.openWarning(),
    ";": () => board.openComments(),
    G: () => board.openGuidelines(),
    H: () => board.openHistory(),
    X: () => board.toggleAllBad(),
    S: () => board.openSkip(),
    N: () => board.openNote(),
    U: () => board.undo(),
    V: () => board.toggleCompare(),
    M: () => board.toggleFolds(),
    R: () => board.toggleStep(),
    E: board.editing && (() => board.editing.focus()),
  };
  const act = commands[letter];
  return act && !(event.repeat && (COMMANDS.test(letter) || "?/*.!;".includes(letter))) ? act : null;
}

/** Enter on these presses them; on chips and completions it submits. */
function onOwnControl(target) {
  return target instanceof HTMLElement && target.matches("button:not(.lb-chip, .lb-letter, .lb-submit), a, summary");
}

/** The chip or completion that has the focus. */
function focusedLabel() {
  const focused = document.activeElement;
  return focused?.closest?.(".lb-chip, .lb-letter")?.textContent || focused?.closest?.("[data-card]")?.dataset.card || null;
}
