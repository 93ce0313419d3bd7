// Every text of the labeling screen that a person reads, by part of the screen. A translation is this object with other
// values; where a sentence depends on something, its entry is a function of it. Names of keys stay as they are.

const plural = (count, one, many) => (count === 1 ? one : many);

const english = {
  loading: "Loading …",
  noProject: "You belong to no project yet. Ask a manager to add you to one.",

  http: {
    unreachable: "The server cannot be reached.",
    status: (status) => `The server answered ${status}.`,
    unclear: "The server's answer was not understood.",
  },

  top: {
    project: "Project",
    menu: "menu",
    panels: "Panels",
    compare: "compare",
    guidelines: "guidelines",
    history: "history",
    keys: "keys",
    keysName: "Keys",
    signOut: "sign out",
    account: "Account and tokens",
    progress: (done, total) => `${done} of ${total}`,
    minutes: (minutes) => ` · ${minutes} min today`,
  },

  saving: {
    saved: "saved",
    saving: "saving …",
    failed: (error) => `Not saved: ${error} Trying again …`,
    lost: "This task was answered, or its correction ended, in another window.",
    signedOut: "You are signed out; your draft is kept. ",
    signIn: "Sign in again",
  },

  main: {
    name: "Prompt and completions",
    none: "No tasks are left for you here. Thank you!",
    correcting: "Correcting an earlier judgment: it stands until you submit.",
    skipped: (reason) => `You skipped this one: ${reason}`,
  },

  prompt: {
    name: "Prompt",
    roles: { system: "system", user: "user", assistant: "assistant" },
    earlier(system, turns) {
      const earlier = `${turns} earlier ${plural(turns, "turn", "turns")}`;
      return system ? `system message${turns ? ` and ${earlier}` : ""}` : earlier;
    },
  },

  card: {
    name: (label) => `Completion ${label}`,
    rated: (label, rating) => `Completion ${label}, ${rating ? `rated ${rating}` : "not rated"}`,
    empty: "the completion is empty",
    rank: (rank) => (rank ? `rank ${rank}` : "unranked"),
    take: (label, rank) => (rank ? `${label}, rank ${rank}: take off the ranking` : `Rank ${label} next`),
    jumps: "Completions",
    jump: (label) => `Show completion ${label}`,
    more: "▸ more",
    less: "▾ less",
  },

  compare: {
    side: (label) => `Completion ${label}, differences marked`,
    sides: ["Left completion", "Right completion"],
  },

  foot: {
    undo: "undo",
    skip: "skip",
    note: "note",
    tie: "tie",
    tieHint: "The next one ties with the one before",
    allBad: (count) => (count === 2 ? "both bad" : "all bad"),
    keep: "keep as it was",
    submit: "Submit",
    noteName: "Note",
    noteHint: "Note for the managers (Esc goes back to the board)",
    steps: "Steps",
    rateStep: (rated) => (rated ? `1 · rate ${rated}` : "1 · flag"),
    rankStep: (ranked) => `2 · rank ${ranked}`,
    chipKeys: "Digits put it at that rank, left and right move it, up ranks it next, down takes it off.",
  },

  board: {
    sending: "Sending …",
    unsaved: "Submitting is off until the draft can be saved.",
    notSent: (error) => `Not sent yet: ${error} Trying again …`,
    nothingToUndo: "There is nothing to take back yet.",
    focusFirst: "Go to a chip or a completion with Tab first; then digits put it at that rank.",
  },

  ranking: {
    name: "Ranking, best to worst",
    unranked: "Unranked",
    best: "best",
    worst: "worst",
    pool: (top) => (top ? `not in the best ${top}` : "unranked"),
    hint: "type letters, tap or drag",
    touchHint: "tap or drag",
    chip: (label, rank) => (rank ? `${label}, rank ${rank}` : `${label}, unranked`),
    twice: (label, rank) => `${label} is ranked ${rank} already; Backspace takes the last one back.`,
    tooHigh: (count) => `There are ${count} completions: ranks go from 1 to ${count}.`,
    tied: (labels) => `${labels.join(" and ")} tied`,
    nothing: "Nothing ranked.",
    order: (tiers) => `Best to worst: ${tiers.join(", then ")}.`,
    open: (labels) => ` Unranked: ${labels.join(", ")}.`,
    complete: " All ranked.",
    tieNext: " Next letter ties.",
  },

  strength: {
    words: ["negligibly", "slightly", "clearly", "significantly"],
    ask: "How much better:",
    of: (better, other) => `${better} is better than ${other}:`,
    how: "Type the letter of the better one, then 1 negligibly, 2 slightly, 3 clearly or 4 significantly better.",
    is: (better, strength) => `${better} is ${strength} better.`,
  },

  rating: {
    scale: "1 worst … 7 best",
    row: (label) => `Rating of completion ${label}, 1 worst to 7 best`,
    rate: (label, rating) => `Rate ${label} ${rating} of 7`,
    whose: "Whose flags",
    flagsOf: (target) => `Flags of ${target}`,
    flagsSet: (target, count) => `Flags of ${target}, ${count} set`,
    prompt: "prompt",
    ofPrompt: "the prompt",
    ofCompletion: (label) => `completion ${label}`,
    promptUnrated: "The prompt is not rated; ← goes to the completions.",
    flagsOnly: "This project asks for flags, not for ratings.",
    complete: "All are rated: now rank them.",
    noFlag: (letter) => `No flag has the letter ${letter}. The ranking comes after the ratings; r goes there.`,
    now: (target) => `Now ${target}.`,
    set: (flags) => ` Flags: ${flags.join(", ")}.`,
  },

  answer: {
    rateFirst: (labels) => `Rate ${labels.join(", ")} first.`,
    tooMany: (top, labels) => `Only the best ${top} are asked for: take ${labels.join(", ")} off.`,
    rankBest: (top) => `Rank the best ${top}.`,
    rankBestOrBad: (top, count) => `Rank the best ${top}, or mark ${count === 2 ? "both" : "all"} bad.`,
    rankFirst: (labels) => `Rank ${labels.join(", ")} first.`,
    rankFirstOrBad: (labels, count) => `Rank ${labels.join(", ")} first, or mark ${count === 2 ? "both" : "all"} bad.`,
    strengthFirst: (label) => `Say how much better ${label} is: 1 to 4.`,
    allBad: "All bad.",
    rated: (ratings) => `${ratings.map(([label, rating]) => `${label} rated ${rating}`).join(", ")}.`,
  },

  dialog: { close: "Close" },

  guidelines: {
    title: (project) => `Guidelines: ${project}`,
    none: "No guidelines were written for this project.",
    version: (version) => `Version ${version}`,
  },

  history: {
    title: "Your last judgments",
    none: "Nothing judged yet.",
    correct: "Correct",
    own: "My pace and agreement",
  },

  skip: {
    title: "Skip",
    why: "Why? A skipped task does not come back to you.",
    reasons: [
      "I cannot judge the subject",
      "The prompt is unclear",
      "The prompt asks for something harmful",
      "A text is broken or in a language I do not read",
      "It contains personal data",
    ],
    own: "Reason in your own words",
    ownHint: "Or in your own words",
    confirm: "Skip this task",
  },

  help: {
    title: "Keys",
    mouse:
      "Where a completion has the letter of a command, Shift with that letter gives the command. Chips can also be dragged: onto a rank for a tie, between ranks for a rank of their own, and back to the unranked ones. Tapping chips or letters ranks them in that order.",
    rating: "Rating and flags",
    chat: "Dialogue",
    ranking: "Ranking",
    always: "Always",
    rankKeys: [
      ["A B C …", "rank next; already ranked letters stay where they are"],
      ["=", "the next letter ties with the one before"],
      ["Backspace", "take the last one back"],
      ["Tab", "go to a chip or a completion"],
      ["1 2 3 …", "put the focused one at that rank; the same digit on two is a tie"],
      ["← →", "move the focused chip: into a tie with its neighbour, then past it"],
      ["↑ ↓", "rank the focused chip next; take it off the ranking"],
    ],
    strengthKeys: [
      ["A or B", "the better one; then, or before the other letter:"],
      ["1 2 3 4", "negligibly, slightly, clearly, significantly better"],
      ["=", "after the first letter: the other ties with it"],
      ["Backspace", "take the last one back"],
    ],
    rateKeys: [
      ["1 … 7", "rate the marked completion, 1 worst to 7 best, and go to the next"],
      ["letters", "set or take back the flag that shows the letter; flags first, then the rating"],
      ["← →", "the completion before or after"],
      ["Tab", "go to a completion"],
      ["Backspace", "take the last rating back"],
    ],
    chatKeys: [
      ["w", "write the next turn"],
      ["Ctrl Enter", "add the turn, while writing it; Enter begins a new line"],
      ["Esc", "from the text to the keys below"],
      ["q", "ask for suggestions"],
      ["A B C …", "insert that suggestion or, where replies are ranked, rank it next"],
      ["Enter", "go on with the best reply; add the turn; submit"],
      ["Backspace", "take the last rank back, or delete the last turn"],
      ["p", "put deleted turns back"],
      ["x", "the dialogue is done"],
    ],
    promptKeys: [["0", "flags of the prompt"]],
    stepKeys: [["r", "between rating and ranking"]],
    keys: [
      ["Enter", "submit, or go on to the ranking"],
      ["x", "all bad"],
      ["s", "skip, with a reason"],
      ["n", "note"],
      ["u", "bring the last one back to correct it"],
      ["v", "compare two completions, differences marked"],
      ["m", "unfold or fold every long text"],
      ["g", "guidelines"],
      ["h", "history"],
      ["?", "this sheet"],
    ],
  },
};

export const texts = english;
