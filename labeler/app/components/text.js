// Showing text exactly as it was generated: every character, no markup, and nothing hidden.

import { button, el } from "./dom.js";
import { texts } from "./texts.js";

// Characters that are invisible or turn the direction of the text round them: controls, formats, fillers and variation
// selectors. Tab and newline are laid out as usual.
const UNSEEN = /(?![\t\n\r])[\p{Cc}\p{Cf}\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2028\u2029\u2800\u3164\ufe00-\ufe0f\uffa0\u{e0100}-\u{e01ef}]/gu;

// In an emoji sequence the joiner, the picture selector and the letters of a flag are part of the picture.
const ONE = "\\p{Extended_Pictographic}\\p{Emoji_Modifier}?[\\ufe0e\\ufe0f]?";
const PICTURE = new RegExp(`\\u{1f3f4}[\\u{e0061}-\\u{e007a}]{2,6}\\u{e007f}|${ONE}(?:\\u200d(?:${ONE}|[\\u2640\\u2642]\\ufe0f?))*|[0-9#*]\\ufe0f\\u20e3`, "gu");

/**
 * A text as nodes. An unseen character stays in the text (copying gives it back) but is wrapped, so that the style sheet
 * can print its code beside it and so that it cannot reorder its neighbours.
 */
export function exactNodes(text) {
  const nodes = [];
  let from = 0;
  const pictures = pictureParts(text);
  for (const match of text.matchAll(UNSEEN)) {
    if (pictures.has(match.index)) continue;
    const code = match[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    nodes.push(text.slice(from, match.index), el("span", { class: "lb-unseen", "data-code": `U+${code}` }, match[0]));
    from = match.index + match[0].length;
  }
  return [...nodes, text.slice(from)];
}

/** Where the unseen parts of emoji stand. */
function pictureParts(text) {
  const parts = new Set();
  for (const { 0: picture, index } of text.matchAll(PICTURE)) for (let at = 0; at < picture.length; at += 1) parts.add(index + at);
  return parts;
}

/**
 * Fold bodies that are taller than they may be. The text is never cut: folding hides its end behind a button.
 * @param {{body: HTMLElement, foot: HTMLElement}[]} items the text and the place for its button.
 */
export function foldLong(items) {
  const tall = items.map(({ body, foot }) => {
    foot.replaceChildren();
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
