"""A whole installation of Hone in a temporary folder: the real programs on a PostgreSQL and Redis of
their own, with a tiny random model, so that faults can be done to each of them.

Standard library only. What goes wrong here and not in Hone is a HarnessError: a harness that
mistakes its own failures for Hone's, or Hone's for its own, proves nothing.
"""
import contextlib
import http.client
import json
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse

import tiny_model

SOURCE = pathlib.Path(__file__).resolve().parents[2]
LOCAL = SOURCE / "services/local/hone-local"

# Short, in the proportions of the real ones (15 s, 5 s, 2 s).
LEASE_S, HEARTBEAT_S, POLL_S = 2.0, 0.5, 0.5


class HarnessError(Exception):
    """The harness could not do what it was about to test."""


class Failure(Exception):
    """Hone did not do what it promises."""


def check(condition, message):
    if not condition:
        raise Failure(message)


def wait_until(condition, seconds, what, every=0.05):
    """The first true value of condition()."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"after {seconds} s still not: {what}")
        time.sleep(every)


def alive(pid):
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Away(Exception):
    """The server did not answer: nothing is known of what it did."""


class Client:
    """HTTP as one person, by token or by session."""

    def __init__(self, port, token=None):
        self.port, self.token = port, token
        self.cookie = self.csrf = None

    def join(self, link, name, email):
        """Makes an account by an invitation's link; from then on this is that person."""
        session = self.post("/invitations/accept", {"token": link.rsplit("/", 1)[1], "name": name, "email": email,
                                                    "password": secrets.token_urlsafe(16)})
        self.csrf = session["csrf"]
        return self

    def ask(self, method, path, body=None, headers=None, timeout=20):
        """Status and parsed body. Away when there was no whole answer."""
        all_headers = {"Accept": "application/json", **(headers or {})}
        data = None
        if isinstance(body, (str, bytes)):
            data = body.encode() if isinstance(body, str) else body
            all_headers.setdefault("Content-Type", "application/jsonl")
        elif body is not None:
            data = json.dumps(body).encode()
            all_headers["Content-Type"] = "application/json"
        if self.token:
            all_headers["Authorization"] = "Bearer " + self.token
        if self.cookie:
            all_headers.update({"Cookie": self.cookie, "X-Hone-CSRF": self.csrf or "", "Origin": f"http://127.0.0.1:{self.port}"})
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, "/api/v1" + path, data, all_headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.getheader("Set-Cookie"):
                self.cookie = answer.getheader("Set-Cookie").split(";")[0]
        except (OSError, http.client.HTTPException) as broken:
            raise Away(str(broken)) from broken
        finally:
            connection.close()
        try:
            return answer.status, json.loads(text) if text else None
        except ValueError as broken:
            raise Away("not JSON: " + repr(text[:200])) from broken

    def get(self, path):
        return self.expect("GET", path)

    def post(self, path, body=None, **keyword):
        return self.expect("POST", path, body, **keyword)

    def expect(self, method, path, body=None, **keyword):
        status, answer = self.ask(method, path, body, **keyword)
        if status >= 300:
            raise HarnessError(f"{method} {path}: {status} {json.dumps(answer)[:600]}")
        return answer


class Installation:
    """Use as a context manager: everything it started ends with it."""

    def __init__(self, bin_dir, keep=False, log=print):
        self.bin = pathlib.Path(bin_dir).resolve()
        self.keep, self.log = keep, log
        for program in ("hone", "hone-server", "hone-worker", "hone-run"):
            if not (self.bin / program).exists():
                raise HarnessError(f"no {program} in {self.bin}; build first")

    # ---- life ----------------------------------------------------------------------------------

    def __enter__(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="hone-fault-"))
        self.processes = {}
        try:
            self.local("start")
            self.env = self.environment()
            self.run("hone", "migrate")
            self.port = free_port()
            self.start_server()
            self.admin = Client(self.port, json.loads(self.run("hone", "tokens", "create", "--name", "fault", "--role", "admin", "--json"))["token"])
            return self
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        for name in list(self.processes):
            self.kill(name, signal.SIGKILL)
        with contextlib.suppress(Exception):
            self.local("destroy")
        if self.keep:
            self.log(f"kept: {self.home}")
        else:
            shutil.rmtree(self.home, ignore_errors=True)

    def environment(self):
        base = {k: v for k, v in os.environ.items() if not k.startswith("HONE_")}
        printed = subprocess.run(
            ["bash", "-c", f'eval "$("{LOCAL}" env --dir "{self.home}")"; env -0'], env=base, capture_output=True, check=True).stdout
        env = dict(one.split("=", 1) for one in printed.decode().split("\0") if "=" in one)
        env.update(HONE_LEASE_S=str(LEASE_S), HONE_HEARTBEAT_S=str(HEARTBEAT_S), HONE_POLL_S=str(POLL_S), HONE_THREADS="1",
                   HONE_MATMUL="plain",  # runs are compared with each other, not only attempts
                   OMP_NUM_THREADS="1", HONE_RUN=str(self.bin / "hone-run"))
        return env

    def local(self, command):
        base = {k: v for k, v in os.environ.items() if not k.startswith("HONE_")}
        done = subprocess.run([LOCAL, command, "--dir", str(self.home)], env=base, capture_output=True, text=True)
        if done.returncode:
            raise HarnessError(f"hone-local {command}: {done.stderr.strip()}")
        return done.stdout

    def run(self, program, *arguments):
        done = subprocess.run([self.bin / program, *arguments], env=self.env, capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise HarnessError(f"{program} {' '.join(arguments)}: {done.stderr.strip()[-600:]}")
        return done.stdout

    # ---- processes -----------------------------------------------------------------------------

    def start(self, name, program, **more):
        (self.home / "log").mkdir(exist_ok=True)
        out = open(self.home / "log" / f"{name}.log", "ab")
        self.processes[name] = subprocess.Popen(
            [self.bin / program], env={**self.env, **more}, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        out.close()
        return self.processes[name]

    def kill(self, name, how=signal.SIGKILL):
        process = self.processes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.send_signal(how)
        process.wait(timeout=60)

    def log_of(self, name):
        file = self.home / "log" / f"{name}.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def start_server(self):
        self.start("server", "hone-server", HONE_LISTEN=f"127.0.0.1:{self.port}")
        self.wait_for_server()

    def wait_for_server(self, seconds=20):
        def answers():
            try:
                return Client(self.port).ask("GET", "/health", timeout=2)[0] == 200
            except Away:
                if self.processes["server"].poll() is not None:
                    raise HarnessError("hone-server ended: " + self.log_of("server")[-600:])
                return False
        wait_until(answers, seconds, "hone-server answers")

    def start_worker(self, name="worker", **more):
        return self.start(name, "hone-worker", **more)

    def child_of(self, name):
        """The hone-run of a worker, or None."""
        pid = self.processes[name].pid
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                children = (task / "children").read_text().split()
                if children:
                    return int(children[0])
        return None

    # ---- the databases -------------------------------------------------------------------------

    def postmaster(self):
        data = pathlib.Path(self.pg_data())
        return int((data / "postmaster.pid").read_text().split("\n")[0])

    def pg_data(self):
        for line in self.local("status").splitlines():
            if line.startswith("postgresql") and " data " in line:
                return line.split(" data ")[1].split(",")[0]
        raise HarnessError("PostgreSQL does not run")

    def stop_postgres(self):
        """As by a power cut that the disk survives: no shutdown checkpoint, all connections broken."""
        pid = self.postmaster()
        os.kill(pid, signal.SIGQUIT)
        wait_until(lambda: not alive(pid), 20, "PostgreSQL has ended")

    def redis_pid(self):
        for line in self.local("status").splitlines():
            if line.startswith("redis") and "process" in line:
                return int(line.split("process ")[1].split(",")[0])
        raise HarnessError("Redis does not run")

    def redis_command(self, *words):
        """As Redis's administrator: what the programs' own user may not do."""
        sock = urllib.parse.urlsplit(self.env["HONE_REDIS_URL"]).path
        password = (self.home / "secrets/redis-admin-password").read_text()
        done = subprocess.run(["redis-cli", "-s", sock, "--user", "admin", "--no-auth-warning", *words],
                              env={**os.environ, "REDISCLI_AUTH": password}, capture_output=True, text=True)
        if done.returncode:
            raise HarnessError("redis-cli: " + done.stderr)
        return done.stdout.strip()

    def sql(self, query):
        """Rows as lists of text. As PostgreSQL's superuser, past all policies."""
        url = self.env["HONE_DATABASE_OWNER_URL"].replace("//hone_owner@", "//postgres@")
        done = subprocess.run(["psql", "-XAtq", "-F", "\x1f", "-v", "ON_ERROR_STOP=1", url, "-c", query], capture_output=True, text=True)
        if done.returncode:
            raise HarnessError("psql: " + done.stderr.strip()[-400:])
        return [line.split("\x1f") for line in done.stdout.splitlines()]

    # ---- the road ------------------------------------------------------------------------------

    def add_base(self):
        tiny_model.make(self.home / "tiny", seed=1)
        self.run("hone", "bases", "add", "tiny", str(self.home / "tiny"))

    def make_project(self, slug, **settings):
        return self.admin.post("/projects", {"name": slug, "slug": slug, "settings": settings})["id"]

    def import_rows(self, project, kind, rows, split="auto"):
        body = "".join(json.dumps(row) + "\n" for row in rows)
        return self.admin.post(f"/projects/{project}/imports?format={kind}&split={split}", body)

    def start_run(self, project, model, **hyperparameters):
        return self.admin.post("/runs", {
            "project": project, "method": "dpo.sigmoid.sum", "base": "tiny", "snapshot": "latest", "model": model,
            "adapter": "none", "seed": 7, "hyperparameters": hyperparameters})["id"]

    def get_run(self, run):
        return self.admin.get(f"/runs/{run}")

    def events_of(self, run, kind):
        found, after = [], 0
        while True:
            answer = self.admin.get(f"/runs/{run}/events?after_seq={after}")
            page = answer if isinstance(answer, list) else answer["data"]
            if not page:
                return found
            found += [event for event in page if event["type"] == kind]
            after = page[-1]["seq"]

    def adopted(self, run):
        """Newest adopted checkpoint's step, 0 when none."""
        return int(self.sql(f"SELECT coalesce(max(step), 0) FROM checkpoints WHERE job_id = '{run}'")[0][0])

    def wait_for_run(self, run, seconds=300):
        def ended():
            state = self.get_run(run)
            return state if state["state"] in ("succeeded", "failed", "dead", "cancelled") else None
        return wait_until(ended, seconds, f"run {run} has ended; its state: {self.get_run(run)['state']}", every=0.2)

    def weights_of(self, run):
        """SHA-256 of the published weights."""
        result = run["result"]
        check(result, f"run {run['id']} {run['state']} without a result: {run['error']}")
        version = self.admin.get(f"/models/{result['model']}/versions/{result['version']}")
        found = [f["sha256"] for f in version["files"] if f["path"] == "hf/model.safetensors"]
        check(len(found) == 1, "one hf/model.safetensors in the version")
        return found[0]
