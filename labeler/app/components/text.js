// Showing text exactly as it was generated: every character, no markup, and nothing hidden.

import { button, el } from "./dom.js";
import { texts } from "./texts.js";

// Characters that are invisible or turn the direction of the text round them. Tab and newline are laid out as usual.
const UNSEEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

// Inside an emoji sequence the joiner is part of the picture and not a hidden character.
const PICTOGRAPH_JOINER = /(?<=\p{Extended_Pictographic}\ufe0f?)\u200d(?=\p{Extended_Pictographic})/u;

/**
 * A text as nodes. An unseen character stays in the text (copying gives it back) but is wrapped, so that the style sheet
 * can print its code beside it and so that it cannot reorder its neighbours.
 */
export function exactNodes(text) {
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(UNSEEN)) {
    if (isPictographJoiner(text, match.index)) continue;
    const code = match[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    nodes.push(text.slice(from, match.index), el("span", { class: "lb-unseen", "data-code": `U+${code}` }, match[0]));
    from = match.index + match[0].length;
  }
  return [...nodes, text.slice(from)];
}

function isPictographJoiner(text, index) {
  return text[index] === "\u200d" && PICTOGRAPH_JOINER.test(text.slice(Math.max(0, index - 3), index + 3));
}

/**
 * Fold bodies that are taller than they may be. The text is never cut: folding hides its end behind a button.
 * @param {{body: HTMLElement, foot: HTMLElement}[]} items the text and the place for its button.
 */
export function foldLong(items) {
  const tall = items.map(({ body }) => {
    body.classList.add("lb-folded");
    return body.scrollHeight > body.clientHeight + 24;
  });
  items.forEach(({ body, foot }, index) => {
    if (!tall[index]) return body.classList.remove("lb-folded");
    const more = button(texts.card.more, { class: "lb-more", "aria-expanded": "false" });
    more.addEventListener("click", () => setFolded(body, more, !body.classList.contains("lb-folded")));
    foot.append(more);
  });
}

function setFolded(body, more, folded) {
  body.classList.toggle("lb-folded", folded);
  more.textContent = folded ? texts.card.more : texts.card.less;
  more.setAttribute("aria-expanded", String(!folded));
}

/** Unfold everything below this node, or fold it all again if nothing was folded. */
export function toggleAllFolds(root) {
  const buttons = [...root.querySelectorAll(".lb-more")];
  const anyFolded = buttons.some((more) => more.getAttribute("aria-expanded") === "false");
  for (const more of buttons) if ((more.getAttribute("aria-expanded") === "false") === anyFolded) more.click();
}
