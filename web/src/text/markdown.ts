// Text written by models and people, made into nodes that can do nothing: markdown-it without HTML,
// then DOMPurify with a short allow-list. Code is coloured later, by its own file, when it is there.
// No remote images (they would tell a stranger who reads what), links name their host.

import DOMPurify from 'dompurify';
import MarkdownIt from 'markdown-it';
import {showHidden} from './escape';

/** A longer text is shown plain and cut, with the rest one press away: rendering stays quick. */
export const LONGEST_RENDERED = 200_000;

const markdown = new MarkdownIt({html: false, linkify: false, typographer: false, breaks: true});
markdown.set({maxNesting: 40} as Parameters<typeof markdown.set>[0]); // its type forgets this option
markdown.validateLink = (address: string) => /^https?:\/\//i.test(address.trim());

const rules = markdown.renderer.rules;
rules.image = (tokens, i) => {
  const token = tokens[i]!;
  const address = String(token.attrGet('src') ?? '');
  return `<span class="md-image">[picture not loaded: ${escapeHtml(token.content || 'no description')} · ${escapeHtml(hostOf(address))}]</span>`;
};
rules.link_open = (tokens, i, options, _env, self) => {
  const token = tokens[i]!;
  token.attrSet('rel', 'noopener noreferrer nofollow');
  token.attrSet('target', '_blank');
  return self.renderToken(tokens, i, options);
};
rules.link_close = (tokens, i, options, _env, self) => {
  let open = i - 1;
  for (let depth = 1; open >= 0; --open) {
    if (tokens[open]!.type === 'link_close') ++depth;
    if (tokens[open]!.type === 'link_open' && --depth === 0) break;
  }
  const host = open >= 0 ? hostOf(String(tokens[open]!.attrGet('href') ?? '')) : '';
  return self.renderToken(tokens, i, options) + (host ? `<span class="md-host"> (${escapeHtml(host)})</span>` : '');
};
rules.fence = (tokens, i) => codeBlock(tokens[i]!.content, tokens[i]!.info.trim().split(/\s+/)[0] ?? '');
rules.code_block = (tokens, i) => codeBlock(tokens[i]!.content, '');
// A text's headings never compete with the page's own outline.
rules.heading_open = (tokens, i) => `<p class="md-h md-${tokens[i]!.tag}">`;
rules.heading_close = () => '</p>';
rules.table_open = () => '<div class="md-table"><table>';
rules.table_close = () => '</table></div>';

function codeBlock(code: string, language: string): string {
  const name = /^[\w+#.-]{1,24}$/.test(language) ? language.toLowerCase() : '';
  return `<pre class="md-code"><code${name ? ` class="language-${escapeHtml(name)}"` : ''}>${escapeHtml(code)}</code></pre>`;
}

function hostOf(address: string): string {
  try {
    return showHidden(new URL(address).host);
  } catch {
    return 'no address';
  }
}

const escapeHtml = markdown.utils.escapeHtml;

const ALLOWED = {
  ALLOWED_TAGS: ['p', 'br', 'hr', 'em', 'strong', 's', 'del', 'code', 'pre', 'blockquote', 'ul', 'ol', 'li',
    'a', 'span', 'div', 'table', 'thead', 'tbody', 'tr', 'th', 'td'],
  ALLOWED_ATTR: ['href', 'rel', 'target', 'class', 'start'],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  ALLOWED_URI_REGEXP: /^https?:\/\//i,
  RETURN_DOM_FRAGMENT: true as const,
};

DOMPurify.addHook('afterSanitizeAttributes', (node) => {
  if (node.tagName === 'A') {
    node.setAttribute('rel', 'noopener noreferrer nofollow');
    node.setAttribute('target', '_blank');
  }
});

const cache = new Map<string, DocumentFragment>();
const CACHED = 24;

/** Nodes for a markdown text; the same text again costs a clone. The cache is small and bounded. */
export function renderMarkdown(source: string): DocumentFragment {
  let made = cache.get(source);
  if (!made) {
    made = DOMPurify.sanitize(markdown.render(showHidden(source)), ALLOWED) as unknown as DocumentFragment;
    if (cache.size >= CACHED) cache.delete(cache.keys().next().value!);
    cache.set(source, made);
  }
  return document.importNode(made, true);
}

/** Colours one code element in place; does nothing when the language is not known. */
export async function highlight(code: HTMLElement): Promise<void> {
  const language = /language-([\w+#.-]+)/.exec(code.className)?.[1];
  if (!language || (code.textContent ?? '').length > 50_000) return;
  const {colour} = await import('./highlight');
  const html = colour(code.textContent ?? '', language);
  if (html === undefined) return;
  const nodes = DOMPurify.sanitize(html, {
    ALLOWED_TAGS: ['span'], ALLOWED_ATTR: ['class'], ALLOW_DATA_ATTR: false, ALLOW_ARIA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  });
  code.replaceChildren(nodes);
}
