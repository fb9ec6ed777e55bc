// Tints the words in which two rendered answers differ, through the CSS highlight registry: the
// text's own nodes are not touched. Browsers without the registry show no tint.

import {differing, wordsOf} from './diff';

const NAME = 'hone-differs';

interface HighlightWindow {
  Highlight?: new (...ranges: Range[]) => unknown;
}

export function clearTint(): void {
  (CSS as unknown as {highlights?: Map<string, unknown>}).highlights?.delete(NAME);
}

export function tint(left: Element, right: Element): boolean {
  const registry = (CSS as unknown as {highlights?: Map<string, unknown>}).highlights;
  const Highlight = (window as HighlightWindow).Highlight;
  if (!registry || !Highlight) return false;
  const a = flatten(left);
  const b = flatten(right);
  const wordsA = wordsOf(a.text);
  const wordsB = wordsOf(b.text);
  const only = differing(wordsA, wordsB);
  if (!only) return false;
  const ranges = [
    ...wordsA.filter((_, i) => only.a[i]).map((word) => rangeOf(a, word.start, word.end)),
    ...wordsB.filter((_, i) => only.b[i]).map((word) => rangeOf(b, word.start, word.end)),
  ];
  registry.set(NAME, new Highlight(...ranges));
  return true;
}

interface Flat {
  text: string;
  nodes: {node: Text; start: number}[];
}

function flatten(root: Element): Flat {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT, (node) =>
    node.parentElement?.closest('button, .message-role') ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT);
  const flat: Flat = {text: '', nodes: []};
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    flat.nodes.push({node: node as Text, start: flat.text.length});
    flat.text += (node as Text).data + ' '; // a break between nodes never joins two words
  }
  return flat;
}

function rangeOf(flat: Flat, start: number, end: number): Range {
  let low = 0;
  let high = flat.nodes.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (flat.nodes[middle]!.start <= start) low = middle;
    else high = middle - 1;
  }
  const {node, start: from} = flat.nodes[low]!;
  const range = document.createRange();
  range.setStart(node, Math.min(start - from, node.length));
  range.setEnd(node, Math.min(end - from, node.length));
  return range;
}
