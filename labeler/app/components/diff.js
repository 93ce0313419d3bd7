// Word differences between two texts: the longest common subsequence of their words, spaces and signs. Pure.

const WORDS = /\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu;
const LARGEST_TABLE = 4_000_000;

/**
 * Both texts in pieces that, joined, give the text back.
 * @returns {[Piece[], Piece[]]} Piece = {text: string, same: boolean}
 */
export function wordDiff(left, right) {
  const a = left.match(WORDS) ?? [];
  const b = right.match(WORDS) ?? [];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let tail = 0;
  while (tail < a.length - start && tail < b.length - start && a.at(-1 - tail) === b.at(-1 - tail)) tail += 1;
  const [inA, inB] = common(a.slice(start, a.length - tail), b.slice(start, b.length - tail));
  const pieces = (words, middle) => {
    const same = (index) => index < start || index >= words.length - tail || middle.has(index - start);
    return join(words.map((text, index) => ({ text, same: same(index) })));
  };
  return [pieces(a, inA), pieces(b, inB)];
}

/** Which positions of a and of b belong to a longest common subsequence. */
function common(a, b) {
  if (a.length * b.length > LARGEST_TABLE) return [new Set(), new Set()]; // too long to compare: all of it differs
  const width = b.length + 1;
  const length = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      const at = i * width + j;
      length[at] = a[i] === b[j] ? length[at + width + 1] + 1 : Math.max(length[at + width], length[at + 1]);
    }
  }
  return walk(a, b, length, width);
}

function walk(a, b, length, width) {
  const [inA, inB] = [new Set(), new Set()];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) {
      inA.add(i++);
      inB.add(j++);
    } else if (length[(i + 1) * width + j] >= length[i * width + j + 1]) i += 1;
    else j += 1;
  }
  return [inA, inB];
}

function join(pieces) {
  const joined = [];
  for (const piece of pieces) {
    if (joined.at(-1)?.same === piece.same) joined.at(-1).text += piece.text;
    else joined.push({ ...piece });
  }
  return joined;
}
