// Fails the build when what a browser loads before the first comparison can be judged grows past
// its bound (150 kB gzipped): the start, and the labelling page's own files.
import {readdirSync, readFileSync} from 'node:fs';
import {gzipSync} from 'node:zlib';

const LIMIT_BYTES = 150_000;
const html = readFileSync('dist/index.html', 'utf8');
const first = new Set([...html.matchAll(/(?:src|href)="\.\/(assets\/[^"]+\.(?:js|css))"/g)].map((m) => m[1]));
let total = 0;
for (const name of readdirSync('dist/assets')) {
  const size = gzipSync(readFileSync(`dist/assets/${name}`)).length;
  const initial = first.has(`assets/${name}`) || /^(label|text)-/.test(name);
  if (initial) total += size;
  console.log(`${initial ? 'first' : 'later'} ${String(size).padStart(7)} B gzipped  ${name}`);
}
console.log(`first load ${total} B gzipped of ${LIMIT_BYTES} allowed`);
if (total === 0 || total > LIMIT_BYTES) process.exit(1);
