#!/usr/bin/env python3
"""Faults on the whole road, done to the real programs.

    road.py --bin BUILD/bin [--kills N] [--minutes M] [--seed S] [--only NAME] [--keep]

Every scenario ends with the independent checker (checker.py). Exit status: 0 all passed, 1 Hone
broke a promise, 2 the harness failed. `--kills` is how often the scenarios that kill do so; with
`--minutes` all are played again and again until that much time is over.
"""
import argparse
import itertools
import json
import os
import random
import signal
import sys
import threading
import time
import traceback
import uuid

import checker
from harness import (HEARTBEAT_S, LEASE_S, POLL_S, Away, Client, Failure, HarnessError, Installation, alive, check, wait_until)

STEPS = 100  # of each run: long enough to be hit in the middle
RUN_S = 5    # that a run takes on one idle core of 2020, generously


def pairs(count, seed):
    """Preference pairs in TRL's conversational form; the better answer is the shorter one."""
    draw = random.Random(seed)
    words = "sun rain tea bread house river tree stone cloud road lamp chair bird song night day".split()
    for i in range(count):
        subject = " ".join(draw.sample(words, 2))
        short = " ".join(draw.sample(words, 3)) + "."
        long = " ".join(draw.choices(words, k=9)) + "!"
        yield {"prompt": [{"role": "user", "content": f"{i}: say something of {subject}"}],
               "chosen": [{"role": "assistant", "content": short}], "rejected": [{"role": "assistant", "content": long}]}


class Road:
    """One installation with a project that has a snapshot, and what an undisturbed run makes of it."""

    def __init__(self, home, draw):
        self.home, self.draw = home, draw
        home.add_base()
        self.project = home.make_project("road")
        home.import_rows(self.project, "trl", pairs(48, seed=1), split="train")
        home.import_rows(self.project, "trl", pairs(8, seed=2), split="held_out")
        home.admin.post(f"/projects/{self.project}/snapshots", {})
        home.start_worker()
        began = time.monotonic()
        run = home.wait_for_run(self.start("undisturbed"))
        check(run["state"] == "succeeded", f"the undisturbed run: {run['state']} {run['error']}")
        self.weights = home.weights_of(run)
        self.seconds = time.monotonic() - began
        # Bounds in seconds are for a machine with nothing else to do; on a busy one they are stretched.
        self.stretch = max(1, self.seconds / RUN_S)
        print(f"     an undisturbed run takes {self.seconds:.1f} s; bounds are stretched by {self.stretch:.1f}", flush=True)

    def start(self, model):
        """A run like the undisturbed one, to a model of its own."""
        return self.home.start_run(self.project, f"{model}-{uuid.uuid4().hex[:6]}", learning_rate=1e-3, batch_size=2, max_steps=STEPS)

    def start_and_reach(self, model, step):
        """A run that is at `step` or later and has a checkpoint to go back to."""
        run = self.start(model)
        wait_until(lambda: self.home.adopted(run) >= step, 120, f"a checkpoint at step {step} or later")
        check(self.home.get_run(run)["state"] == "running", "the run was still running when it was to be disturbed")
        return run

    def same_weights(self, run, attempts_at_least=1):
        end = self.home.wait_for_run(run)
        check(end["state"] == "succeeded", f"state {end['state']}, error {end['error']}")
        check(self.home.weights_of(end) == self.weights, "the weights differ from the undisturbed run's")
        count = len(end["attempts"])
        check(count >= attempts_at_least, f"{count} attempts, wanted at least {attempts_at_least}")
        return end


# ---- the scenarios -----------------------------------------------------------------------------

def published_whole(road, kills):
    """Nothing is done to it: an adapter, a win rate, every file, and an account of where they came from."""
    home = road.home
    critic = home.admin.post(f"/projects/{road.project}/critics", {"name": "short", "spec": {"rules": [{"type": "max_words", "value": 3}]}})["id"]
    run = home.admin.post("/runs", {
        "project": road.project, "method": "dpo.sigmoid.sum", "base": "tiny", "snapshot": "latest", "model": f"whole-{uuid.uuid4().hex[:6]}",
        "adapter": {"type": "lora", "rank": 4}, "seed": 7, "hyperparameters": {"learning_rate": 1e-3, "batch_size": 2, "max_steps": 12},
        "evaluation": {"critic": critic, "max_tokens": 8, "temperature": 0.7}})["id"]
    end = home.wait_for_run(run)
    check(end["state"] == "succeeded", f"state {end['state']}, error {end['error']}")
    result = end["result"]
    version = home.admin.get(f"/models/{result['model']}/versions/{result['version']}")
    paths = {f["path"] for f in version["files"]}
    for path in ("hf/model.safetensors", "hf/config.json", "hf/tokenizer.json", "hf/README.md", "adapter/adapter_model.safetensors",
                 "adapter/adapter_config.json", "hone/manifest.json", "hone/evaluation.json", "hone/metrics.jsonl"):
        check(path in paths, f"{path} is not among {sorted(paths)}")
    check(version["evaluation"]["win_rate"]["prompts"] == 8, f"win rate over the 8 held-out prompts: {version['evaluation']}")
    manifest = json.loads((home.home / "jobs" / run / "published/hone/manifest.json").read_text())
    attempt = manifest["job"]["attempts"]
    check([(a["epoch"], a["first_step"], a["last_step"]) for a in attempt] == [(1, 0, 12)], f"attempts in the manifest: {attempt}")
    check(set(manifest["files"]) == paths - {"hone/manifest.json"}, "the manifest names every other file")
    snapshot = home.admin.get(f"/snapshots/{end['snapshot']['id']}")
    check(manifest["snapshot"]["root"] == snapshot["root"], "the manifest names the snapshot's root")
    left = {p.name for p in (home.home / "jobs" / run / "e1").iterdir()}
    check(left == {"spec.json", "result.json", "run.log"}, f"left of the attempt: {left}")
    yield f"{len(paths)} files, win rate {version['evaluation']['win_rate']['win_rate']:.2f} of a random model"


def reward_learnt_from(road, kills):
    """Nothing is done to it: a reward model is published, a policy learns from it and a critic, and its manifest names both."""
    home = road.home
    name = f"scores-{uuid.uuid4().hex[:6]}"
    fast = {"learning_rate": 1e-3, "batch_size": 4, "max_steps": 4}
    common = {"project": road.project, "base": "tiny", "snapshot": "latest", "seed": 7}
    end = home.wait_for_run(home.admin.post("/runs", {**common, "method": "rm.sigmoid", "model": name, "hyperparameters": fast})["id"])
    check(end["state"] == "succeeded", f"the reward model: {end['state']}, error {end['error']}")
    scores = home.admin.get(f"/models/{name}/versions/1")
    check(scores["task"] == "reward", f"task {scores['task']}")
    paths = {f["path"] for f in scores["files"]}
    for path in ("reward/model.safetensors", "reward/config.json", "reward/tokenizer.json", "hone/reward.json", "hone/manifest.json", "hone/evaluation.json"):
        check(path in paths, f"{path} is not among {sorted(paths)}")
    check(not any(path.startswith("hf/") for path in paths), "a reward model has no hf/")
    values = scores["evaluation"]["values"]
    check({"eval/held_out/rm/accuracy", "eval/held_out/rm/accuracy/longer", "eval/held_out/rm/temperature"} <= set(values), f"measured: {sorted(values)}")

    critic = home.admin.post(f"/projects/{road.project}/critics", {"name": "brief", "spec": {"rules": [{"type": "max_chars", "value": 12}]}})["id"]
    drawn = {**fast, "group_size": 2, "max_new_tokens": 8, "gold_every": 1}
    run = home.admin.post("/runs", {
        **common, "method": "grpo_token", "model": f"learns-{uuid.uuid4().hex[:6]}", "adapter": {"type": "lora", "rank": 4}, "hyperparameters": drawn,
        "reward": [{"model": scores["id"]}, {"critic": critic, "weight": 0.5}], "gold": {"critic": critic}})["id"]
    end = home.wait_for_run(run)
    check(end["state"] == "succeeded", f"the policy: {end['state']}, error {end['error']}")
    manifest = json.loads((home.home / "jobs" / run / "published/hone/manifest.json").read_text())
    model, rule = manifest["reward"]
    check(model["model"] == {"id": scores["id"], "name": name, "version": 1, "manifest_sha256": scores["manifest_sha256"]}, f"the manifest's reward: {model}")
    check(rule["critic"]["id"] == critic and rule["weight"] == 0.5, f"the manifest's reward: {rule}")
    check(manifest["gold"][0]["critic"]["id"] == critic, f"the manifest's gold: {manifest['gold']}")
    told = {k for event in home.events_of(run, "metrics") for k in event["data"]["values"]}
    check({"rl/score/mean", "rl/gold", "rl/proxy", "rl/gold/kl", "rl/kl/seq", "rl/entropy"} <= told, f"measured: {sorted(told)}")
    left = {p.name for p in (home.home / "jobs" / run / "e1").iterdir()}
    check(left == {"spec.json", "result.json", "run.log"}, f"left of the attempt: {left}")
    yield f"ranks {values['eval/held_out/rm/accuracy']:.2f} right, the longer {values['eval/held_out/rm/accuracy/longer']:.2f}"


def answers_verified(road, kills):
    """Nothing is done to it: prompts with answers are imported over HTTP, and a policy learns from an exact answer and a length."""
    home = road.home
    project = home.make_project(f"answers-{uuid.uuid4().hex[:6]}")
    rows = [{**row, "answer": i} for i, row in enumerate(pairs(12, seed=3))]
    home.import_rows(project, "trl", [{k: v for k, v in row.items() if k != "answer"} for row in rows])
    snapshot = home.admin.post(f"/projects/{project}/snapshots", {})
    asked = {"project": project, "base": "tiny", "snapshot": "latest", "method": "grpo_token", "model": f"exact-{uuid.uuid4().hex[:6]}", "seed": 7,
             "adapter": {"type": "lora", "rank": 4}, "reward": [{"type": "exact_answer", "form": "lenient"}, {"type": "length", "tokens": 6}],
             "hyperparameters": {"learning_rate": 1e-3, "batch_size": 4, "max_steps": 4, "group_size": 2, "max_new_tokens": 8}}
    status, refused = home.admin.ask("POST", "/runs", asked)
    check(status == 422 and refused["errors"][0]["pointer"] == "/reward/0/type" and "12 of the snapshot's 12 prompts" in refused["detail"], f"{status} {refused}")
    added = home.import_rows(project, "trl", rows)["added"]
    check(added["answers"] == 12 and added["prompts"] == 0, f"added: {added}")
    check(home.admin.post(f"/projects/{project}/snapshots", {})["id"] != snapshot["id"], "answers make another snapshot")
    run = home.admin.post("/runs", asked)["id"]
    end = home.wait_for_run(run)
    check(end["state"] == "succeeded", f"state {end['state']}, error {end['error']}")
    told = {k for event in home.events_of(run, "metrics") for k in event["data"]["values"]}
    check(any("exact_answer" in name for name in told), f"measured: {sorted(told)}")
    yield f"measured: {', '.join(sorted(name for name in told if 'exact_answer' in name))}"


def worker_killed(road, kills):
    """kill -9 of hone-worker in mid-training: the next attempt goes on, to the same weights bit for bit."""
    home = road.home
    for i in range(kills):
        run = road.start_and_reach(f"worker-killed-{i}", road.draw.randrange(10, STEPS // 2))
        child = home.child_of("worker")
        if child is None:
            raise HarnessError("the worker had no hone-run when it was to be killed")
        home.kill("worker")
        wait_until(lambda: not alive(child), 5, "hone-run died with its worker")
        before, killed_at = home.adopted(run), time.monotonic()
        home.start_worker()
        wait_until(lambda: home.events_of(run, "resumed"), 120, "the run goes on")
        again = time.monotonic() - killed_at
        bound = (LEASE_S + 5) * road.stretch
        check(again <= bound, f"running again after {again:.1f} s, more than {bound:.1f}: a lease and 5 s")
        end = road.same_weights(run, attempts_at_least=2)
        resumed = home.events_of(run, "resumed")
        check(resumed[-1]["data"]["step"] >= before, "it went on from the newest checkpoint")
        yield f"killed at step {before}+, running again after {again:.1f} s, {len(end['attempts'])} attempts"


def run_killed(road, kills):
    """kill -9 of hone-run: the worker reports at once, no lease is waited for."""
    home = road.home
    for i in range(kills):
        run = road.start_and_reach(f"run-killed-{i}", road.draw.randrange(10, STEPS // 2))
        child = home.child_of("worker")
        if child is None:
            raise HarnessError("the worker had no hone-run when it was to be killed")
        os.kill(child, signal.SIGKILL)
        end = road.same_weights(run, attempts_at_least=2)
        first = end["attempts"][0] if end["attempts"][0]["epoch"] < end["attempts"][-1]["epoch"] else end["attempts"][-1]
        check(first["blame"] == "infra", f"blame {first['blame']}, wanted infra")
        yield f"{len(end['attempts'])} attempts"


def seeds_killed(road, kills):
    """kill -9 of hone-run in a run of two seeds, once in each: no seed is trained twice, the published one equals the run of one seed."""
    home = road.home
    run = home.admin.post("/runs", {
        "project": road.project, "method": "dpo.sigmoid.sum", "base": "tiny", "snapshot": "latest", "model": f"seeds-{uuid.uuid4().hex[:6]}",
        "adapter": "none", "seeds": [7, 3], "hyperparameters": {"learning_rate": 1e-3, "batch_size": 2, "max_steps": STEPS}})["id"]
    for low in (10, STEPS + 10):
        wait_until(lambda: home.adopted(run) >= low, 180, f"a checkpoint at step {low} or later")
        child = home.child_of("worker")
        if child is None:
            raise HarnessError("the worker had no hone-run when it was to be killed")
        os.kill(child, signal.SIGKILL)
        wait_until(lambda: home.child_of("worker") not in (None, child), 60, "the next attempt runs")
    end = road.same_weights(run, attempts_at_least=3)
    steps = [event["data"]["step"] for event in home.events_of(run, "metrics")]
    check(set(steps) == set(range(1, 2 * STEPS + 1)), f"steps of both seeds: {min(steps)} to {max(steps)}, {len(set(steps))} of them")
    second = steps.index(STEPS + 1)
    check(min(steps[second:]) > STEPS, "the first seed was trained again after the second had begun")
    resumed = [event["data"]["step"] for event in home.events_of(run, "resumed")]
    check(resumed[0] >= 10 and resumed[-1] >= STEPS + 10, f"it went on from steps {resumed}")
    check(end["seeds"] == [7, 3] and end["progress"]["total_steps"] == 2 * STEPS, f"seeds {end['seeds']}, progress {end['progress']}")
    told = end["result"]["seeds"]
    check([(s["seed"], s["ok"]) for s in told["seeds"]] == [(7, True), (3, True)] and told["published"] == 7, f"seeds: {told['seeds']}")
    loss = told["evaluation"]["eval/held_out/loss"]
    mean = sum(s["evaluation"]["eval/held_out/loss"] for s in told["seeds"]) / 2
    check(abs(loss["mean"] - mean) < 1e-9 and loss["low"] < mean < loss["high"], f"the mean loss: {loss}, of the seeds {mean}")
    manifest = json.loads((home.home / "jobs" / run / "published/hone/manifest.json").read_text())
    check(manifest["cost"]["steps"] == end["result"]["run"]["steps"] == 2 * STEPS, f"cost {manifest['cost']}, result {end['result']['run']}")
    check(manifest["seeds"]["asked"] == [7, 3], f"the manifest's seeds: {manifest['seeds']}")
    yield f"{len(end['attempts'])} attempts, resumed at {resumed}; held-out loss {loss['mean']:.3f} ({loss['low']:.3f} to {loss['high']:.3f})"


def worker_drained(road, kills):
    """SIGTERM to hone-worker in mid-training: a checkpoint, exit 0, and the next worker goes on at once."""
    home = road.home
    run = road.start_and_reach("worker-drained", road.draw.randrange(10, STEPS // 2))
    process, began = home.processes["worker"], time.monotonic()
    home.kill("worker", signal.SIGTERM)
    check(process.returncode == 0, f"exit status {process.returncode}")
    drained = time.monotonic() - began
    check(drained <= 20 * road.stretch, f"drained after {drained:.1f} s")
    home.start_worker()
    end = road.same_weights(run, attempts_at_least=2)
    yield f"drained in {drained:.1f} s, {len(end['attempts'])} attempts"


def run_cancelled(road, kills):
    """A run is cancelled in mid-training: hone-run ends, the run says so, its folder is swept."""
    home = road.home
    run = road.start_and_reach("run-cancelled", 10)
    child = home.child_of("worker")
    home.admin.post(f"/runs/{run}/cancel")
    end = home.wait_for_run(run)
    check(end["state"] == "cancelled", f"state {end['state']}")
    check(child is None or not alive(child), "hone-run has ended")
    wait_until(lambda: not list((home.home / "jobs" / run).glob("e*/out")), 10, "the run's folder is swept")
    status, _ = home.admin.ask("POST", f"/runs/{run}/cancel")
    check(status == 409, f"a second cancel: {status}, wanted 409")
    yield "cancelled"


def checkpoint_torn(road, kills):
    """The newest checkpoint loses a byte while nobody runs: the one before it is used."""
    home = road.home
    run = road.start_and_reach("checkpoint-torn", 30)
    child = home.child_of("worker")
    home.kill("worker")
    wait_until(lambda: child is None or not alive(child), 5, "hone-run died with its worker")
    newest = max((home.home / "jobs" / run).glob("e*/out/checkpoints/step-*"))
    adopted = home.adopted(run)
    paths = [home.home / "jobs" / run / row[0] for row in home.sql(f"SELECT path FROM checkpoints WHERE job_id = '{run}'")]
    earlier = [path for path in paths if path.exists() and path != newest]
    file = newest / "model.safetensors"
    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    file.write_bytes(damaged)
    home.start_worker()
    road.same_weights(run, attempts_at_least=2)
    torn = int(newest.name.split("-")[1])
    if not earlier:  # a checkpoint comes every quarter of a second here: on a busy machine hone-run may be two ahead
        yield f"step {torn} was torn, and what the worker had adopted was pruned already: from the start"
        return
    resumed = home.events_of(run, "resumed")[-1]["data"]["step"]
    check(resumed < torn or adopted < torn, f"went on from step {resumed}, which was torn")
    yield f"step {torn} was torn, went on from {resumed}"


def worker_stopped(road, kills):
    """A worker stopped past its lease and continued changes nothing."""
    home = road.home
    for i in range(kills):
        run = road.start_and_reach(f"worker-stopped-{i}", road.draw.randrange(10, STEPS // 2))
        home.processes["zombie"] = home.processes.pop("worker")
        log_before = len(home.log_of("worker"))
        home.processes["zombie"].send_signal(signal.SIGSTOP)
        home.start("worker", "hone-worker")
        end = road.same_weights(run, attempts_at_least=2)
        before = checker.everything(home, run)
        home.processes["zombie"].send_signal(signal.SIGCONT)
        wait_until(lambda: "lease_lost" in home.log_of("worker")[log_before:], 60, "the old worker saw that its lease is gone")
        time.sleep(3 * HEARTBEAT_S)
        check(checker.everything(home, run) == before, "rows or published files changed after the old worker went on")
        refused = home.log_of("worker")[log_before:].count("write_fenced")
        home.kill("zombie")
        yield f"{len(end['attempts'])} attempts, nothing changed; writes refused by the database and seen by the old worker: {refused}"


def redis_lost(road, kills):
    """Redis emptied, killed, absent: runs start within a poll and a second, and finish."""
    home = road.home
    bound = (POLL_S * 1.25 + 1) * road.stretch
    for what in ("emptied", "killed and gone"):
        if what == "emptied":
            home.redis_command("FLUSHALL")
        else:
            os.kill(home.redis_pid(), signal.SIGKILL)
        asked = time.monotonic()
        run = road.start(f"redis-{what.split()[0]}")
        wait_until(lambda: home.get_run(run)["started_at"], 20, "the run started")
        late = time.monotonic() - asked
        check(late <= bound, f"Redis {what}: started after {late:.2f} s, more than {bound:.2f}")
        if what == "emptied":
            home.redis_command("FLUSHALL")  # and in mid-run
        road.same_weights(run)
        yield f"Redis {what}: started after {late:.2f} s"
    ready = home.admin.ask("GET", "/ready")
    check(ready[1].get("status") == "degraded", f"readiness without Redis: {ready}")
    home.local("start")


def postgres_restarted(road, kills):
    """PostgreSQL stopped as by a power cut and started: the run finishes, to the same weights."""
    home = road.home
    for i in range(kills):
        run = road.start_and_reach(f"postgres-restarted-{i}", road.draw.randrange(10, STEPS // 3))
        home.stop_postgres()
        away = road.draw.choice([0.2, 1.2 * LEASE_S])
        time.sleep(away)
        home.local("start")
        end = road.same_weights(run)
        yield f"away {away:.1f} s and its start, {len(end['attempts'])} attempts"


class Annotators:
    """People who judge as fast as they can, and send a judgment again under its key until they know."""

    def __init__(self, home, project, count, seed):
        self.home, self.project, self.acknowledged, self.problems = home, project, [], []
        self.stop = threading.Event()
        self.draw = random.Random(seed)
        self.people = [self.invite(i) for i in range(count)]
        self.threads = [threading.Thread(target=self.judge, args=(c, random.Random(seed + i))) for i, c in enumerate(self.people)]

    def invite(self, number):
        """By the door: an invitation, a password, a session of the person's own."""
        email = f"judge-{uuid.uuid4().hex[:8]}-{number}@example.org"
        link = self.home.admin.post("/invitations", {"email": email, "role": "annotator"})["link"]
        return Client(self.home.port).join(link, f"Judge {number}", email)

    def judge(self, person, draw):
        while not self.stop.is_set():
            try:
                status, answer = person.ask("POST", f"/projects/{self.project}/queue/next", {"n": 3})
            except Away:
                time.sleep(0.05)
                continue
            if status >= 500 or status == 429:
                time.sleep(0.05)
                continue
            if status != 200:
                self.problems.append(f"queue/next: {status} {answer}")
                return
            if not answer["items"]:
                return
            for item in answer["items"]:
                self.submit(person, item, draw)

    def submit(self, person, item, draw):
        key = uuid.uuid4().hex
        strength = draw.choice([-3, -2, -1, 1, 2, 3])
        body = {"impression": item["impression"], "verdict": "prefer", "strength": strength,
                "timing": {"shown_ms": 900, "first_input_ms": 400, "active_ms": 800, "away_ms": 0}}
        for _ in itertools.count():
            try:
                status, answer = person.ask("POST", f"/assignments/{item['assignment']}/judgments", body, {"Idempotency-Key": key})
            except Away:
                time.sleep(0.05)
                continue
            if status in (200, 201):
                self.acknowledged.append({"id": answer["id"], "key": key, "assignment": item["assignment"], "strength": abs(strength)})
                return
            if status < 500 and status not in (409, 429):
                self.problems.append(f"judgment: {status} {answer}")
                return
            time.sleep(0.05)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(timeout=60)

    def wait(self):
        for thread in self.threads:
            thread.join(timeout=120)
            if thread.is_alive():
                raise Failure("an annotator still has no answer")


def labelling(road, name, comparisons, disturb, kills):
    """Annotators at work while `disturb` is done to the installation `kills` times."""
    home = road.home
    project = home.make_project(f"{name}-{uuid.uuid4().hex[:6]}")
    prompts = [{"prompt": f"{i}: name something nice"} for i in range(comparisons)]
    home.import_rows(project, "prompts", prompts, split="train")
    job = home.admin.post(f"/projects/{project}/samples", {"base": "tiny", "responses_per_prompt": 2, "max_tokens": 8, "seed": 5})["id"]
    wait_until(lambda: home.admin.get(f"/jobs/{job}")["state"] == "succeeded", 180, "the sample job has succeeded")
    rules = {"rules": [{"type": "max_words", "value": 3}, {"type": "not_contains", "text": "!"}]}
    critic = home.admin.post(f"/projects/{project}/critics", {"name": "short", "spec": rules})["id"]
    job = home.admin.post(f"/projects/{project}/judge", {"critic": critic})["id"]
    ended = wait_until(lambda: (lambda j: j if j["state"] in ("succeeded", "failed", "dead") else None)(home.admin.get(f"/jobs/{job}")), 180, "the judge job has ended")
    made = home.admin.get(f"/projects/{project}")["counts"]["comparisons"]
    check(ended["state"] == "succeeded" and ended["result"]["judged"] == made > 0, f"the critic judged all {made} comparisons: {ended['state']} {ended['result']} {ended['error']}")
    judges = Annotators(home, project, 4, road.draw.randrange(10**6))
    with judges:
        for _ in range(kills):
            had = len(judges.acknowledged)
            wait_until(lambda: len(judges.acknowledged) > had + 5 or not any(t.is_alive() for t in judges.threads), 120, "judgments are acknowledged")
            disturb()
        judges.wait()
    check(not judges.problems, f"refused: {judges.problems[:3]}")
    checker.judgments(home, project, judges.acknowledged)
    return len(judges.acknowledged)


def server_killed(road, kills):
    """kill -9 of hone-server under concurrent judgments: acknowledged = stored, none doubled."""
    home = road.home

    def disturb():
        home.kill("server")
        home.start_server()

    count = labelling(road, "server-killed", 40 + 25 * kills, disturb, kills)
    yield f"{count} judgments acknowledged and stored, {kills} kills"


def postgres_killed(road, kills):
    """PostgreSQL stopped as by a power cut under concurrent judgments: acknowledged = stored, none doubled."""
    home = road.home

    def disturb():
        home.stop_postgres()
        home.local("start")

    count = labelling(road, "postgres-killed", 40 + 25 * kills, disturb, kills)
    yield f"{count} judgments acknowledged and stored, {kills} kills"


SCENARIOS = [published_whole, reward_learnt_from, answers_verified, worker_killed, run_killed, seeds_killed, worker_drained, run_cancelled, checkpoint_torn, worker_stopped, redis_lost, postgres_restarted, server_killed, postgres_killed]


def passes(scenario, road, kills):
    began = time.monotonic()
    print(f"---- {scenario.__name__}: {scenario.__doc__}", flush=True)
    try:
        for line in scenario(road, kills):
            print(f"     {line}", flush=True)
        checker.invariants(road.home)
    except Failure as failed:
        print(f"FAIL {scenario.__name__}: {failed}", flush=True)
        for name in road.home.processes:
            print(f"     -- end of the log of {name}:\n{road.home.log_of(name)[-2500:]}", flush=True)
        return False
    print(f" ok  {scenario.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", required=True)
    parser.add_argument("--kills", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=[s.__name__ for s in SCENARIOS])
    parser.add_argument("--keep", action="store_true", help="leave the installation's folder")
    given = parser.parse_args()
    chosen = [s for s in SCENARIOS if given.only in (None, s.__name__)]
    print(f"seed {given.seed}, {given.kills} kills a scenario", flush=True)
    until = time.monotonic() + 60 * given.minutes
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))  # what was started is ended all the same
    try:
        with Installation(given.bin, keep=given.keep) as home:
            road = Road(home, random.Random(given.seed))
            while True:
                for scenario in chosen:
                    if not passes(scenario, road, given.kills):
                        return 1  # what follows would run on a disturbed installation
                if time.monotonic() > until:
                    return 0
    except Failure as failed:
        print(f"FAIL before any fault: {failed}", flush=True)
        return 1
    except (HarnessError, Away, OSError, LookupError) as broken:
        print(f"HARNESS ERROR: {broken}", flush=True)
        traceback.print_exc()
        return 2


if __name__ == "__main__":
    sys.exit(main())
