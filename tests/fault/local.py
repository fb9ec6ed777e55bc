#!/usr/bin/env python3
"""hone-local: a private PostgreSQL and Redis that nobody else reaches and that start again after
whatever befell them. Exit status: 0 passed, 1 failed."""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

LOCAL = pathlib.Path(__file__).resolve().parents[2] / "services/local/hone-local"
BARE = {k: v for k, v in os.environ.items() if not k.startswith("HONE_")}


def local(home, command, **more):
    return subprocess.run([LOCAL, command, "--dir", home], env={**BARE, **more}, capture_output=True, text=True, timeout=120)


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def start(home, **more):
    done = local(home, "start", **more)
    expect(done.returncode == 0, f"start: {done.stderr}")


def env_of(home):
    script = f'eval "$("{LOCAL}" env --dir "$1")"; env -0'
    out = subprocess.run(["bash", "-c", script, "-", home], env=BARE, capture_output=True, text=True, check=True).stdout
    return dict(one.split("=", 1) for one in out.split("\0") if one.startswith("HONE_"))


def psql(url, query, **more):
    return subprocess.run(["psql", "-XAtqc", query, url], capture_output=True, text=True, **more)


def processes(home):
    """{'postgresql': pid, 'redis': pid} of what runs, and the folders that status names."""
    out = {}
    for line in local(home, "status").stdout.splitlines():
        if "process" in line:
            out[line.split()[0]] = int(line.split("process ")[1].split(",")[0])
    return out


def roles_and_nobody_else(home):
    """The three roles by the kernel's word, nothing on TCP, no stranger."""
    env = env_of(home)
    for name, role in (("HONE_DATABASE_URL", "hone_app"), ("HONE_DATABASE_OWNER_URL", "hone_owner"), ("HONE_DATABASE_WORKER_URL", "hone_worker")):
        expect(psql(env[name], "SELECT current_user").stdout.strip() == role, f"{name} is {role}")
    expect(psql(env["HONE_DATABASE_URL"], "SHOW listen_addresses").stdout.strip() == "", "PostgreSQL listens on no address")
    superuser = psql(env["HONE_DATABASE_URL"], "SELECT rolsuper OR rolbypassrls OR rolcreaterole FROM pg_roles WHERE rolname = current_user")
    expect(superuser.stdout.strip() == "f", "the app's role is an ordinary one")
    sock = env["HONE_REDIS_URL"].removeprefix("unix:").split("?")[0]
    without = subprocess.run(["redis-cli", "-s", sock, "ping"], capture_output=True, text=True).stdout
    expect("NOAUTH" in without, f"Redis answers nobody without the password: {without}")
    password = {**os.environ, "REDISCLI_AUTH": env["HONE_REDIS_URL"].split("password=")[1]}
    for command in (["flushall"], ["config", "get", "port"], ["eval", "return 1", "0"]):
        said = subprocess.run(["redis-cli", "-s", sock, *command], env=password, capture_output=True, text=True).stdout
        expect("NOPERM" in said or "permission" in said, f"the programs' Redis user may not {command}: {said}")
    if os.geteuid() == 0:
        refused = psql(env["HONE_DATABASE_URL"], "SELECT 1", user="nobody", cwd="/")
        expect(refused.returncode != 0, "another user of the machine is refused")


def starts_again(home):
    """After a kill, with process numbers in its files that now belong to somebody else."""
    before = processes(home)
    expect(set(before) == {"postgresql", "redis"}, f"both run: {before}")
    start(home)
    expect(processes(home) == before, "a second start starts nothing")
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    time.sleep(0.5)
    expect(local(home, "status").returncode == 3, "status says that they are stopped")
    data = pathlib.Path("/var/lib/hone") if os.geteuid() == 0 else pathlib.Path(home)
    for stale in data.rglob("postmaster.pid"):
        lines = stale.read_text().split("\n")
        if lines[1] == str(stale.parent) and not pathlib.Path(f"/proc/{lines[0]}").exists():
            stale.write_text("\n".join([str(os.getpid()), *lines[1:]]))
    start(home)
    after = processes(home)
    expect(set(after) == {"postgresql", "redis"} and after != before, f"both run anew: {after}")


def two_at_once(home):
    expect(local(home, "stop").returncode == 0, "stop")
    both = [subprocess.Popen([LOCAL, "start", "--dir", home], env=BARE) for _ in range(2)]
    expect([p.wait(timeout=120) for p in both] == [0, 0], "two starts at once both succeed")
    expect(set(processes(home)) == {"postgresql", "redis"}, "and one pair of servers runs")


def takes_what_is_given(home):
    given = {"HONE_DATABASE_URL": "postgresql://db.example.org/hone", "HONE_REDIS_URL": "redis://:x@redis.example.org:6379"}
    elsewhere = home + "/elsewhere"
    start(elsewhere, **given)
    said = local(elsewhere, "env", **given).stdout
    expect("db.example.org" in said and "redis.example.org" in said, f"what was given is passed through: {said}")
    expect("postgres" not in processes(elsewhere), "nothing was started")


def destroys(home):
    expect(local(home, "destroy").returncode == 0, "destroy")
    expect(processes(home) == {}, "nothing runs")


def main():
    with tempfile.TemporaryDirectory(prefix="hone local ") as home:
        try:
            start(home)
            for part in (roles_and_nobody_else, starts_again, two_at_once, takes_what_is_given):
                part(home)
                print("ok", part.__name__, flush=True)
        except AssertionError as failed:
            print(f"FAIL {failed}")
            return 1
        finally:
            destroys(home)
    return 0


if __name__ == "__main__":
    sys.exit(main())
