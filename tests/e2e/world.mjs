// What the tests run against: private services and our own programs, or a server that is up.
import {execFileSync, spawn} from 'node:child_process';
import {existsSync, mkdtempSync, openSync, rmSync} from 'node:fs';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');
const BASE_FILE = join(ROOT, '.deps/bases/smollm2-135m-instruct.q4_1.gguf');
export const BASE_NAME = 'smollm2-135m-instruct';

export async function openWorld() {
  if (process.env.BASE_URL && process.env.LINK)
    return {url: process.env.BASE_URL.replace(/\/$/, ''), link: process.env.LINK, owned: false, stop: async () => {}};
  return new World().start();
}

class World {
  owned = true;
  children = new Map();
  bin = findPrograms();
  home = mkdtempSync(join(tmpdir(), 'hone-e2e-'));
  local = join(ROOT, 'services/local/hone-local');

  async start() {
    if (!existsSync(BASE_FILE)) throw new Error(`${BASE_FILE} is missing: run make setup`);
    if (!existsSync(join(ROOT, 'web/dist/index.html'))) throw new Error('web/dist is missing: run make build');
    try {
      execFileSync(this.local, ['start', '--dir', this.home], {stdio: ['ignore', 'ignore', 'inherit']});
      const listen = `127.0.0.1:${await freePort()}`;
      this.url = `http://${listen}`;
      this.env = {...process.env, ...this.serviceEnvironment(), HONE_HOME: this.home, HONE_LISTEN: listen, HONE_PUBLIC_URL: this.url, HONE_WEB: join(ROOT, 'web/dist')};
      this.hone('migrate');
      this.startProgram('hone-server');
      this.startProgram('hone-worker');
      await this.ready();
      this.hone('bases', 'add', BASE_NAME, BASE_FILE);
      // As the demo does: a token made before anybody has an account must not spend the link.
      this.hone('tokens', 'create', '--name', 'before anybody');
      this.link = this.hone('setup-link').trim().split(/\s+/).find((word) => word.startsWith('http'));
      if (!this.link) throw new Error('hone setup-link printed no link');
      return this;
    } catch (error) {
      await this.stop(true);
      throw error;
    }
  }

  serviceEnvironment() {
    const text = execFileSync('bash', ['-c', 'set -a; eval "$("$0" env --dir "$1")"; env -0', this.local, this.home], {encoding: 'utf8'});
    return Object.fromEntries(text.split('\0').filter((line) => line.startsWith('HONE_')).map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
  }
  hone(...args) {
    return execFileSync(join(this.bin, 'hone'), args, {env: this.env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit']});
  }
  startProgram(name) {
    const log = openSync(join(this.home, `${name}.log`), 'a');
    const child = spawn(join(this.bin, name), [], {env: this.env, stdio: ['ignore', log, log]});
    this.children.set(name, child);
  }
  async endProgram(name, signal) {
    const child = this.children.get(name);
    this.children.delete(name);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 20_000))]);
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await ended;
  }
  async ready() {
    for (let i = 0; i < 300; ++i) {
      if (await fetch(`${this.url}/api/v1/ready`).then((r) => r.ok, () => false)) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`hone-server did not become ready; its log is ${this.home}/hone-server.log`);
  }
  async stop(keep = false) {
    await this.endProgram('hone-worker', 'SIGTERM');
    await this.endProgram('hone-server', 'SIGTERM');
    try {
      execFileSync(this.local, [keep ? 'stop' : 'destroy', '--dir', this.home], {stdio: 'ignore'});
    } catch {
      console.error(`e2e: the services of ${this.home} did not stop cleanly`);
    }
    if (keep) console.error(`e2e: logs and data are kept in ${this.home}`);
    else rmSync(this.home, {recursive: true, force: true});
  }
}

function findPrograms() {
  const folders = [process.env.HONE_BIN, ...['release', 'dev', 'cuda'].map((preset) => join(ROOT, 'build', preset, 'bin'))];
  const found = folders.find((folder) => folder && ['hone', 'hone-server', 'hone-worker', 'hone-run'].every((name) => existsSync(join(folder, name))));
  if (!found) throw new Error('the programs are not built: run make build');
  return found;
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const {port} = server.address();
      server.close(() => resolve(port));
    });
  });
}
