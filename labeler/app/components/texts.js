// Texts of the labeling screen that a person reads, by part of the screen; where a sentence depends on something, its entry
// is a function of it. Names of keys and letters of commands are the same in all languages.

import { listed, t, tn } from "./language.js";

const then = (better, worse) => t("{better}, then {worse}", { better, worse });

export const texts = {
  loading: t("Loading …"),
  noProject: t("You belong to no project yet. Ask a manager to add you to one."),

  http: {
    unreachable: t("The server cannot be reached."),
    status: (status) => t("The server answered {status}.", { status }),
    unclear: t("The server's answer was not understood."),
  },

  top: {
    project: t("Project"),
    menu: t("menu"),
    panels: t("Panels"),
    compare: t("compare"),
    guidelines: t("guidelines"),
    history: t("history"),
    find: t("find"),
    reading: t("reading view"),
    pause: t("pause"),
    warning: t("content warning"),
    keys: t("keys"),
    keysName: t("Keys"),
    signOut: t("sign out"),
    account: t("Account and tokens"),
    progress: (done, total) => t("{done} of {total}", { done, total }),
    minutes: (minutes) => t("{minutes} min today", { minutes }),
  },

  saving: {
    saved: t("saved"),
    saving: t("saving …"),
    failed: (error) => t("Not saved: {error} Trying again …", { error }),
    lost: t("This task was answered, or its correction ended, in another window."),
    signedOut: t("You are signed out; your draft is kept."),
    signIn: t("Sign in again"),
  },

  main: {
    name: t("Prompt and completions"),
    none: t("No tasks are left for you here. Thank you!"),
    correcting: t("Correcting an earlier judgment: it stands until you submit."),
    skipped: (reason) => t("You skipped this one: {reason}", { reason: t(reason) }),
  },

  prompt: {
    name: t("Prompt"),
    roles: { system: t("system"), user: t("user"), assistant: t("assistant") },
    earlier(system, turns) {
      if (!turns) return t("system message");
      if (!system) return tn("{count} earlier turn", "{count} earlier turns", turns);
      return tn("system message and {count} earlier turn", "system message and {count} earlier turns", turns);
    },
  },

  card: {
    name: (label) => t("Completion {label}", { label }),
    rated: (label, rating) => (rating ? t("Completion {label}, rated {rating}", { label, rating }) : t("Completion {label}, not rated", { label })),
    empty: t("the completion is empty"),
    rank: (rank) => (rank ? t("rank {rank}", { rank }) : t("unranked")),
    take: (label, rank) => (rank ? t("{label}, rank {rank}: take off the ranking", { label, rank }) : t("Rank {label} next", { label })),
    jumps: t("Completions"),
    jump: (label) => t("Show completion {label}", { label }),
    more: t("▸ more"),
    less: t("▾ less"),
  },

  compare: {
    side: (label) => t("Completion {label}, differences marked", { label }),
    sides: [t("Left completion"), t("Right completion")],
    long: t("Long texts: they are matched at their rare words first, so that a mark may be wider than it needs to be."),
  },

  find: {
    name: t("Find in prompt and completions"),
    previous: t("Previous (Shift Enter)"),
    next: t("Next (Enter)"),
    close: t("Close (Esc)"),
    count(at, all, more) {
      if (!all) return t("not found");
      return more ? t("{at} of {all} or more", { at, all }) : t("{at} of {all}", { at, all });
    },
  },

  reading: {
    tooLong: t("This text is too long for the reading view and is shown as it is."),
  },

  legend: {
    name: t("About these texts"),
    unseen: t("Characters that cannot be seen, and how often:"),
    hide: t("hide codes"),
    show: t("show codes"),
    reading: t("Reading view: Markdown and formulas are drawn, links and images are off. What is judged is the exact text, one key away (*)."),
    optedOut: t("Sensitive tasks are left out until the end of your day."),
    include: t("Include them again"),
    other: t("invisible"),
    characters: {
      "U+0000": t("null"),
      "U+0007": t("bell"),
      "U+0008": t("backspace"),
      "U+001B": t("escape"),
      "U+007F": t("delete"),
      "U+00AD": t("soft hyphen"),
      "U+034F": t("grapheme joiner"),
      "U+061C": t("Arabic letter mark"),
      "U+115F": t("Hangul filler"),
      "U+1160": t("Hangul filler"),
      "U+180E": t("Mongolian vowel separator"),
      "U+200B": t("zero width space"),
      "U+200C": t("zero width non-joiner"),
      "U+200D": t("zero width joiner"),
      "U+200E": t("left-to-right mark"),
      "U+200F": t("right-to-left mark"),
      "U+2028": t("line separator"),
      "U+2029": t("paragraph separator"),
      "U+202A": t("left-to-right embedding"),
      "U+202B": t("right-to-left embedding"),
      "U+202C": t("end of embedding or override"),
      "U+202D": t("left-to-right override"),
      "U+202E": t("right-to-left override: reverses what follows"),
      "U+2060": t("word joiner"),
      "U+2066": t("left-to-right isolate"),
      "U+2067": t("right-to-left isolate"),
      "U+2068": t("first strong isolate"),
      "U+2069": t("end of isolate"),
      "U+2800": t("blank Braille pattern"),
      "U+3164": t("Hangul filler"),
      "U+FE0F": t("emoji selector"),
      "U+FEFF": t("byte order mark"),
      "U+FFA0": t("Hangul filler"),
    },
  },

  care: {
    paused: t("Paused"),
    pausedHow: t("The clock stands still and the texts are covered."),
    goOn: t("Go on"),
    warning: t("Content warning"),
    notToday: t("Not today"),
    notTodayHow: t("“Not today” leaves out the tasks that are marked as sensitive until the end of your day. Nobody is told, and you can change it at any time."),
    breakTitle: t("Time for a break?"),
    breakText: (minutes) => tn("You have been at it for {count} minute. Your draft is kept.", "You have been at it for {count} minutes. Your draft is kept.", minutes),
    takeBreak: t("Take a break"),
  },

  foot: {
    undo: t("undo"),
    skip: t("skip"),
    note: t("note"),
    tie: t("tie"),
    tieHint: t("The next one ties with the one before"),
    allBad: (count) => (count === 2 ? t("both bad") : t("all bad")),
    keep: t("keep as it was"),
    submit: t("Submit"),
    noteName: t("Note"),
    noteHint: t("Note for the managers (Esc goes back to the board)"),
    steps: t("Steps"),
    rateStep: (rated) => (rated ? t("1 · rate {rated}", { rated }) : t("1 · flag")),
    rankStep: (ranked) => t("2 · rank {ranked}", { ranked }),
    chipKeys: t("Digits put it at that rank, left and right move it, up ranks it next, down takes it off."),
  },

  board: {
    sending: t("Sending …"),
    unsaved: t("Submitting is off until the draft can be saved."),
    notSent: (error) => t("Not sent yet: {error} Trying again …", { error }),
    nothingToUndo: t("There is nothing to take back yet."),
    focusFirst: t("Go to a chip or a completion with Tab first; then digits put it at that rank."),
  },

  ranking: {
    name: t("Ranking, best to worst"),
    unranked: t("Unranked"),
    best: t("best"),
    worst: t("worst"),
    pool: (top) => (top ? t("not in the best {top}", { top }) : t("unranked")),
    hint: t("type letters, tap or drag"),
    touchHint: t("tap or drag"),
    chip: (label, rank) => (rank ? t("{label}, rank {rank}", { label, rank }) : t("{label}, unranked", { label })),
    twice: (label, rank) => t("{label} is ranked {rank} already; Backspace takes the last one back.", { label, rank }),
    tooHigh: (count) => t("There are {count} completions: ranks go from 1 to {count}.", { count }),
    tied: (labels) => t("{labels} tied", { labels: listed(labels) }),
    nothing: t("Nothing ranked."),
    order: (tiers) => t("Best to worst: {order}.", { order: tiers.reduce(then) }),
    open: (labels) => t("Unranked: {labels}.", { labels: labels.join(", ") }),
    complete: t("All ranked."),
    tieNext: t("Next letter ties."),
  },

  strength: {
    words: [t("negligibly"), t("slightly"), t("clearly"), t("significantly")],
    ask: t("How much better:"),
    of: (better, other) => t("{better} is better than {other}:", { better, other }),
    how: t("Type the letter of the better one, then 1 negligibly, 2 slightly, 3 clearly or 4 significantly better."),
    is: (better, strength) => [t("{better} is negligibly better.", { better }), t("{better} is slightly better.", { better }), t("{better} is clearly better.", { better }), t("{better} is significantly better.", { better })][strength - 1],
  },

  rating: {
    scale: t("1 worst … 7 best"),
    row: (label) => t("Rating of completion {label}, 1 worst to 7 best", { label }),
    rate: (label, rating) => t("Rate {label} {rating} of 7", { label, rating }),
    whose: t("Whose flags"),
    flagsOf: (label) => (label ? t("Flags of completion {label}", { label }) : t("Flags of the prompt")),
    flagsSet: (label, count) => (label ? t("Flags of completion {label}, {count} set", { label, count }) : t("Flags of the prompt, {count} set", { count })),
    prompt: t("prompt"),
    promptUnrated: t("The prompt is not rated; ← goes to the completions."),
    flagsOnly: t("This project asks for flags, not for ratings."),
    complete: t("All are rated: now rank them."),
    noFlag: (letter) => t("No flag has the letter {letter}. The ranking comes after the ratings; r goes there.", { letter }),
    now: (label) => (label ? t("Now completion {label}.", { label }) : t("Now the prompt.")),
    set: (flags) => t("Flags: {flags}.", { flags: flags.join(", ") }),
  },

  answer: {
    rateFirst: (labels) => t("Rate {labels} first.", { labels: labels.join(", ") }),
    tooMany: (top, labels) => t("Only the best {top} are asked for: take {labels} off.", { top, labels: labels.join(", ") }),
    rankBest: (top) => t("Rank the best {top}.", { top }),
    rankBestOrBad: (top, count) => (count === 2 ? t("Rank the best {top}, or mark both bad.", { top }) : t("Rank the best {top}, or mark all bad.", { top })),
    rankFirst: (labels) => t("Rank {labels} first.", { labels: labels.join(", ") }),
    rankFirstOrBad: (labels, count) => (count === 2 ? t("Rank {labels} first, or mark both bad.", { labels: labels.join(", ") }) : t("Rank {labels} first, or mark all bad.", { labels: labels.join(", ") })),
    strengthFirst: (label) => t("Say how much better {label} is: 1 to 4.", { label }),
    allBad: t("All bad."),
    rated: (label, rating) => t("{label} rated {rating}.", { label, rating }),
  },

  dialog: { close: t("Close") },

  guidelines: {
    title: (project) => t("Guidelines: {project}", { project }),
    none: t("No guidelines were written for this project."),
    version: (version) => t("Version {version}", { version }),
  },

  history: {
    title: t("Your last judgments"),
    none: t("Nothing judged yet."),
    correct: t("Correct"),
    own: t("My pace and agreement"),
  },

  skip: {
    title: t("Skip"),
    why: t("Why? A skipped task does not come back to you."),
    reasons: [ // as they are kept in the data, and as they are shown
      ["I cannot judge the subject", t("I cannot judge the subject")],
      ["The prompt is unclear", t("The prompt is unclear")],
      ["The prompt asks for something harmful", t("The prompt asks for something harmful")],
      ["A text is broken or in a language I do not read", t("A text is broken or in a language I do not read")],
      ["It contains personal data", t("It contains personal data")],
    ],
    own: t("Reason in your own words"),
    ownHint: t("Or in your own words"),
    confirm: t("Skip this task"),
  },

  help: {
    title: t("Keys"),
    mouse:
      t("Where a completion has the letter of a command, Shift with that letter gives the command. Chips can also be dragged: onto a rank for a tie, between ranks for a rank of their own, and back to the unranked ones. Tapping chips or letters ranks them in that order."),
    rating: t("Rating and flags"),
    chat: t("Dialogue"),
    ranking: t("Ranking"),
    always: t("Always"),
    rankKeys: [
      ["A B C …", t("rank next; already ranked letters stay where they are")],
      ["=", t("the next letter ties with the one before")],
      ["Backspace", t("take the last one back")],
      ["Tab", t("go to a chip or a completion")],
      ["1 2 3 …", t("put the focused one at that rank; the same digit on two is a tie")],
      ["← →", t("move the focused chip: into a tie with its neighbour, then past it")],
      ["↑ ↓", t("rank the focused chip next; take it off the ranking")],
    ],
    strengthKeys: [
      [t("A or B"), t("the better one; then, or before the other letter:")],
      ["1 2 3 4", t("negligibly, slightly, clearly, significantly better")],
      ["=", t("after the first letter: the other ties with it")],
      ["Backspace", t("take the last one back")],
    ],
    rateKeys: [
      ["1 … 7", t("rate the marked completion, 1 worst to 7 best, and go to the next")],
      [t("letters"), t("set or take back the flag that shows the letter; flags first, then the rating")],
      ["← →", t("the completion before or after")],
      ["Tab", t("go to a completion")],
      ["Backspace", t("take the last rating back")],
    ],
    chatKeys: [
      ["w", t("write the next turn")],
      ["Ctrl Enter", t("add the turn, while writing it; Enter begins a new line")],
      ["Esc", t("from the text to the keys below")],
      ["q", t("ask for suggestions")],
      ["A B C …", t("insert that suggestion or, where replies are ranked, rank it next")],
      ["Enter", t("go on with the best reply; add the turn; submit")],
      ["Backspace", t("take the last rank back, or delete the last turn")],
      ["p", t("put deleted turns back")],
      ["x", t("the dialogue is done")],
    ],
    promptKeys: [["0", t("flags of the prompt")]],
    stepKeys: [["r", t("between rating and ranking")]],
    keys: [
      ["Enter", t("submit, or go on to the ranking")],
      ["x", t("all bad")],
      ["s", t("skip, with a reason")],
      ["n", t("note")],
      ["u", t("bring the last one back to correct it")],
      ["v", t("compare two completions, differences marked")],
      ["m", t("unfold or fold every long text")],
      ["/", t("find in prompt and completions; Enter and Shift Enter go through them")],
      ["*", t("reading view: Markdown and formulas drawn")],
      ["!", t("content warning, where there is one")],
      [".", t("pause: the clock stands still and the texts are covered")],
      ["g", t("guidelines")],
      ["h", t("history")],
      ["?", t("this sheet")],
    ],
  },
};
