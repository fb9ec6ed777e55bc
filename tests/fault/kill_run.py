"""hone-run killed in mid-training, twice over: two attempts that go on from different checkpoints of the
killed one must end in the same bits; a stop by SIGTERM leaves a checkpoint and says 75; a reader that goes
away ends the job. Full weights and LoRA, on a model of two layers.

usage: kill_run.py HONE_RUN"""
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TINY = ROOT / "tests/golden/rl/formats/tiny"
HONE_RUN = sys.argv[1]
STEPS = 12
ROUNDS = 200
CLOCKS = ("perf/step_s", "perf/tokens_per_s", "perf/peak_bytes")


def fail(what):
    sys.exit(f"FAIL {what}")


def write_rows(path):
    rows = [dict(prompt=[dict(role="user", content=f"Question {i}")], chosen=[dict(role="assistant", content=f"Yes, {i}.")],
                 rejected=[dict(role="assistant", content=f"That depends on {i} things")]) for i in range(24)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def lay_out(folder, adapter, resume=None):
    folder.mkdir()
    write_rows(folder / "rows.jsonl")
    spec = dict(kind="train", method="dpo.sigmoid.sum", base=str(TINY), data="rows.jsonl", adapter=adapter, seed=5, checkpoint_every_steps=2,
                checkpoint_every_s=0, resume_from=resume and str(resume),
                hyperparameters=dict(learning_rate=1e-3, batch_size=4, max_steps=STEPS, micro_batch_tokens=96))
    (folder / "spec.json").write_text(json.dumps(spec))
    return folder


def start(folder):
    return subprocess.Popen([HONE_RUN, "job", folder], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(folder):
    done = subprocess.run([HONE_RUN, "job", folder], capture_output=True, text=True, timeout=300)
    if done.returncode != 0 or not json.loads((folder / "result.json").read_text())["ok"]:
        fail(f"{folder.name} ended with {done.returncode}: {done.stderr}")


def after_checkpoint(process, step):
    """Reads events until the checkpoint of `step` is told."""
    for line in process.stdout:
        event = json.loads(line)
        if event["type"] == "checkpoint" and event["step"] == step:
            return
    fail(f"the job ended before step {step}: {process.stderr.read()}")


class StepReader(threading.Thread):
    """Reads a job's events as they come, so that none waits in the pipe, and keeps the last step."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self.process, self.step, self.told = process, 0, threading.Condition()
        self.start()

    def run(self):
        for line in self.process.stdout:
            if not line.endswith("\n"):
                return  # killed in mid-line
            event = json.loads(line)
            if event["type"] == "metrics":
                with self.told:
                    self.step = event["step"]
                    self.told.notify_all()

    def wait_for(self, step, seconds, problem):
        with self.told:
            if not self.told.wait_for(lambda: self.step >= step, seconds):
                fail(problem)


def end_of(folder):
    last = folder / f"out/checkpoints/step-{STEPS:06d}/model.safetensors"
    metrics = []
    for line in open(folder / "out/metrics.jsonl"):
        metrics.append({k: v for k, v in json.loads(line).items() if k not in CLOCKS})
    return hashlib.sha256(last.read_bytes()).hexdigest(), hashlib.sha256((folder / "out/hf/model.safetensors").read_bytes()).hexdigest(), metrics


for name, adapter in (("full", "none"), ("lora", dict(type="lora", rank=4, alpha=8))):
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        killed = lay_out(folder / "killed", adapter)
        process = start(killed)
        after_checkpoint(process, 6)
        process.send_signal(signal.SIGKILL)
        process.wait()
        checkpoints = sorted(p for p in (killed / "out/checkpoints").iterdir() if p.name.startswith("step-"))
        if len(checkpoints) < 2:
            fail(f"{name}: {len(checkpoints)} checkpoints are left, not two")
        ends = []
        for i, checkpoint in enumerate(checkpoints[-2:]):
            attempt = lay_out(folder / f"attempt{i}", adapter, checkpoint)
            finish(attempt)
            ends.append(end_of(attempt))
        if ends[0] != ends[1]:
            fail(f"{name}: attempts from {[c.name for c in checkpoints[-2:]]} ended differently")
        if [m["step"] for m in ends[0][2]] != list(range(1, STEPS + 1)):
            fail(f"{name}: the metrics do not hold every step once")
        print(f"ok   {name}: killed after step 6, from {checkpoints[-2].name} and {checkpoints[-1].name} to the same bits")

        stopped = lay_out(folder / "stopped", adapter)
        process = start(stopped)
        after_checkpoint(process, 2)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        result = json.loads((stopped / "result.json").read_text())
        if process.returncode != 75 or result["ok"] or not list((stopped / "out/checkpoints").glob("step-*")):
            fail(f"{name}: SIGTERM gave {process.returncode} and {result}")
        print(f"ok   {name}: SIGTERM leaves a checkpoint and 75")

with tempfile.TemporaryDirectory() as temporary:
    alone = lay_out(pathlib.Path(temporary) / "alone", "none")
    spec = json.loads((alone / "spec.json").read_text())
    spec["hyperparameters"]["max_steps"] = 100000
    (alone / "spec.json").write_text(json.dumps(spec))
    process = start(alone)
    after_checkpoint(process, 2)
    process.stdout.close()
    begun = time.time()
    if process.wait(timeout=30) != 75:
        fail(f"a job whose reader went away ended with {process.returncode}")
    print(f"ok   a job whose reader goes away ends with 75 after {time.time() - begun:.1f} s")

    paused = lay_out(pathlib.Path(temporary) / "paused", "none")
    spec["out"] = "out"
    (paused / "spec.json").write_text(json.dumps(spec))
    process = start(paused)
    after_checkpoint(process, 2)
    process.send_signal(signal.SIGUSR1)
    deadline, quiet_since, last_step = time.time() + 60, time.time(), None
    os.set_blocking(process.stdout.fileno(), True)
    while time.time() - quiet_since < 2.5:  # progress is told again and again while paused, steps are not
        event = json.loads(process.stdout.readline())
        if event["type"] == "metrics":
            quiet_since, last_step = time.time(), event["step"]
        if time.time() > deadline:
            fail("SIGUSR1 did not pause the run")
    process.send_signal(signal.SIGUSR2)
    while json.loads(process.stdout.readline())["type"] != "metrics":
        pass
    # Both while it has no processor: it must not stay paused. Its threads wake together, so the order in which
    # two of them would take the signals is chance: many rounds.
    reader = StepReader(process)
    for turn in range(ROUNDS):
        process.send_signal(signal.SIGSTOP)
        for one in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGCONT):
            process.send_signal(one)
        reader.wait_for(reader.step + 3, 20, f"SIGUSR1 and SIGUSR2 at once left the run paused, in round {turn + 1}")
    process.send_signal(signal.SIGKILL)
    process.wait()
    print(f"ok   SIGUSR1 pauses at a step boundary (after step {last_step}), SIGUSR2 goes on, also when both wait ({ROUNDS} times)")
