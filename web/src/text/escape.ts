// Characters that could make a text lie about itself (reordering, hiding, controlling) are shown
// by name. Only what is displayed changes: stored and sent text stays as it is.

/** Bidi controls, other C0/C1 controls than tab and line feed, invisible fillers, tag characters,
 * line separators and lone surrogates. Joiners (U+200C, U+200D) stay: scripts and emoji need them. */
const HIDDEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]|[\u{e0000}-\u{e0fff}]|[\ud800-\udfff]/gu;

/** "a\u202eb" -> "a⟨U+202E⟩b". CRLF counts as a line end, not as a control. */
export function showHidden(text: string): string {
  return text.replace(/\r\n/g, '\n').replace(HIDDEN, (found) => {
    const code = found.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
    return `⟨U+${code}⟩`;
  });
}

export function hasHidden(text: string): boolean {
  return showHidden(text) !== text.replace(/\r\n/g, '\n');
}
