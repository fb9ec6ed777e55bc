"""Tools of hone-run that are told to stop, as by Ctrl-C at a terminal: one that waits for lines ends at once, and a
convert takes what it has written with it.

usage: stop_tools.py HONE_RUN BASE"""
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TINY = ROOT / "tests/golden/rl/formats/tiny"
HONE_RUN, BASE = sys.argv[1:]


def fail(what):
    sys.exit(f"FAIL {what}")


def ended(process, what):
    try:
        return process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        fail(f"{what} went on")


for one in (signal.SIGINT, signal.SIGTERM):
    process = subprocess.Popen([HONE_RUN, "tokenize", TINY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.stdin.write('{"text": "One"}\n')
    process.stdin.flush()
    process.stdout.readline()
    process.send_signal(one)
    code = ended(process, f"a tokenize that was sent {one.name}")
    if code != -one:
        fail(f"a tokenize that was sent {one.name} ended with {code}")
print("ok   a tokenize that waits for lines ends by SIGINT and SIGTERM")

for form in ("hf", "gguf"):
    for one in (signal.SIGINT, signal.SIGTERM):
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            process = subprocess.Popen([HONE_RUN, "convert", BASE, folder / "out", "--to", form], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            until = time.time() + 60
            while not (drafts := list(folder.iterdir())):
                if process.poll() is not None or time.time() > until:
                    fail(f"no draft was seen of a convert to {form}: {process.stderr.read()}")
                time.sleep(0.002)
            process.send_signal(one)
            code = ended(process, f"a convert to {form} that was sent {one.name}")
            if code != 130 or list(folder.iterdir()):
                fail(f"a convert to {form} that was sent {one.name} ended with {code} and left {list(folder.iterdir())} of {drafts}")
    print(f"ok   a convert to {form} takes its draft with it")
