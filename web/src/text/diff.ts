// Which words differ between two texts: Myers' O(ND) on words, bounded, for the difference tint.

export interface Word {
  text: string;
  start: number;
  end: number;
}

export function wordsOf(text: string): Word[] {
  return [...text.matchAll(/[\p{L}\p{N}\p{M}]+|[^\s\p{L}\p{N}\p{M}]/gu)].map((m) => ({
    text: m[0],
    start: m.index,
    end: m.index + m[0].length,
  }));
}

/**
 * Marks the words of each side that are not part of a longest common subsequence.
 * Returns undefined when the texts differ in more than `limit` words: a tint over everything
 * would tell nothing, and the search grows with the square of the difference.
 */
export function differing(a: Word[], b: Word[], limit = 1500): {a: boolean[]; b: boolean[]} | undefined {
  const n = a.length;
  const m = b.length;
  const most = Math.min(n + m, limit);
  const trace: Int32Array[] = [];
  const v = new Int32Array(2 * most + 3);
  const middle = most + 1;
  for (let d = 0; d <= most; ++d) {
    trace.push(v.slice(middle - d - 1, middle + d + 2)); // only diagonals -d-1..d+1 can be read back
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && v[middle + k - 1]! < v[middle + k + 1]!);
      let x = down ? v[middle + k + 1]! : v[middle + k - 1]! + 1;
      let y = x - k;
      while (x < n && y < m && a[x]!.text === b[y]!.text) {
        ++x;
        ++y;
      }
      v[middle + k] = x;
      if (x >= n && y >= m) return walkBack(trace, n, m);
    }
  }
  return undefined;
}

function walkBack(trace: Int32Array[], n: number, m: number): {a: boolean[]; b: boolean[]} {
  const only = {a: new Array<boolean>(n).fill(false), b: new Array<boolean>(m).fill(false)};
  let x = n;
  let y = m;
  for (let d = trace.length - 1; d > 0; --d) {
    const v = trace[d]!;
    const at = (k: number) => v[k + d + 1]!;
    const k = x - y;
    const down = k === -d || (k !== d && at(k - 1) < at(k + 1));
    const from = down ? k + 1 : k - 1;
    const fromX = at(from);
    const fromY = fromX - from;
    if (down) only.b[fromY] = true;
    else only.a[fromX] = true;
    x = fromX;
    y = fromY;
  }
  return only;
}
