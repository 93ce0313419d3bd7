// Word differences between two texts: common subsequences of their words, spaces and signs. Pure.
//
// Short texts are compared exactly: a longest common subsequence. In long ones (their table would be larger than
// LARGEST_TABLE) the words that occur once in both are anchors, of which the longest run in order is kept (patience
// diff, Bram Cohen); what lies between two anchors is compared in the same way, exactly as soon as it is small enough.

const WORDS = /\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu;
const LARGEST_TABLE = 4_000_000; // cells
const ALL_TABLES = 12_000_000; // cells over all gaps; beyond that the rest of a gap counts as different

/**
 * Both texts in pieces that, joined, give the text back.
 * @returns {{sides: [Piece[], Piece[]], exact: boolean}} Piece = {text: string, same: boolean}; exact: no mark is there
 *   that an exact comparison would spare
 */
export function wordDiff(left, right) {
  const words = [left.match(WORDS) ?? [], right.match(WORDS) ?? []];
  const [a, b] = numbered(...words);
  const work = { a, b, inA: new Uint8Array(a.length), inB: new Uint8Array(b.length), cells: ALL_TABLES, exact: true };
  compare(work, 0, a.length, 0, b.length);
  return { sides: [join(words[0], work.inA), join(words[1], work.inB)], exact: work.exact };
}

/** Words as numbers, equal words as equal ones. */
function numbered(...texts) {
  const known = new Map();
  const number = (word) => known.get(word) ?? (known.set(word, known.size), known.size - 1);
  return texts.map((words) => Int32Array.from(words, number));
}

/** Mark what a[from, to) and b[start, end) have in common. */
function compare(work, from, to, start, end) {
  const gaps = [[from, to, start, end]];
  while (gaps.length) {
    const [i, n, j, m] = trimmed(work, ...gaps.pop());
    if (i === n || j === m) continue;
    if ((n - i) * (m - j) <= Math.min(LARGEST_TABLE, work.cells)) table(work, i, n, j, m);
    else gaps.push(...betweenAnchors(work, i, n, j, m));
  }
}

/** The same without its common beginning and end, which are marked. */
function trimmed({ a, b, inA, inB }, i, n, j, m) {
  for (; i < n && j < m && a[i] === b[j]; i += 1, j += 1) inA[i] = inB[j] = 1;
  for (; i < n && j < m && a[n - 1] === b[m - 1]; n -= 1, m -= 1) inA[n - 1] = inB[m - 1] = 1;
  return [i, n, j, m];
}

/** The gaps before, between and behind the anchors; none where there is no anchor. */
function betweenAnchors(work, i, n, j, m) {
  work.exact = false;
  const anchors = increasing(unique(work, i, n, j, m));
  if (!anchors.length) return [];
  const gaps = [];
  for (const [x, y] of anchors) {
    work.inA[x] = work.inB[y] = 1;
    gaps.push([i, x, j, y]);
    [i, j] = [x + 1, y + 1];
  }
  return [...gaps, [i, n, j, m]];
}

/** Pairs of places of the words that occur once in a[i, n) and once in b[j, m), by place in a. */
function unique({ a, b }, i, n, j, m) {
  const once = (words, from, to) => {
    const places = new Map();
    for (let at = from; at < to; at += 1) places.set(words[at], places.has(words[at]) ? -1 : at);
    return places;
  };
  const inB = once(b, j, m);
  return [...once(a, i, n)].filter(([word, x]) => x >= 0 && (inB.get(word) ?? -1) >= 0).map(([word, x]) => [x, inB.get(word)]);
}

/** A longest run of pairs whose second places rise too: patience sorting. */
function increasing(pairs) {
  const ends = []; // ends[k]: index of the pair with the smallest end among runs of length k + 1
  const before = new Int32Array(pairs.length);
  pairs.forEach(([, y], index) => {
    let [low, high] = [0, ends.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (pairs[ends[middle]][1] < y) low = middle + 1;
      else high = middle;
    }
    before[index] = low ? ends[low - 1] : -1;
    ends[low] = index;
  });
  const run = [];
  for (let at = ends.at(-1) ?? -1; at >= 0; at = before[at]) run.push(pairs[at]);
  return run.reverse();
}

/** Mark a longest common subsequence of a[from, to) and b[start, end). */
function table(work, from, to, start, end) {
  const { a, b, inA, inB } = work;
  const [rows, columns] = [to - from, end - start];
  const width = columns + 1;
  const length = new Uint16Array((rows + 1) * width);
  work.cells -= rows * columns;
  for (let i = rows - 1; i >= 0; i -= 1) {
    for (let j = columns - 1, at = i * width + j; j >= 0; j -= 1, at -= 1) {
      length[at] = a[from + i] === b[start + j] ? length[at + width + 1] + 1 : Math.max(length[at + width], length[at + 1]);
    }
  }
  for (let i = 0, j = 0; i < rows && j < columns; ) {
    if (a[from + i] === b[start + j]) inA[from + i++] = inB[start + j++] = 1;
    else if (length[(i + 1) * width + j] >= length[i * width + j + 1]) i += 1;
    else j += 1;
  }
}

/** Runs of words that are the same, or are not, as one piece each. */
function join(words, same) {
  const pieces = [];
  for (let from = 0, to = 0; from < words.length; from = to) {
    while (to < words.length && same[to] === same[from]) to += 1;
    pieces.push({ text: words.slice(from, to).join(""), same: Boolean(same[from]) });
  }
  return pieces;
}
