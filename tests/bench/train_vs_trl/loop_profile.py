"""Where the time of a training loop goes, by perf: samples between its first step's end and its last's. No waiting
for files, no start, no publishing.

usage: loop_profile.py HONE_RUN SPEC.json STEPS"""
import collections
import re
import subprocess
import sys
import tempfile

# The first that fits; code that oneDNN makes at run time has no name.
KINDS = [("matrix products", r"\[JIT\]|perf-[0-9]+\.map|dnnl|mkl|gemm|multiply_|few_rows|accumulate_tn"),
         ("attention", r"attention|attend|softmax_row"),
         ("optimiser", r"adam|foreach_norm|norm_kernel|NormOp"),
         ("norms, SwiGLU, RoPE, head", r"norm|swiglu|turn|row_(lse|entropy|gradient|likeliest)|silu|head"),
         ("waiting for the other threads", r"libgomp"),
         ("the kernel", r"\[kernel")]


def kind_of(where):
    return next((name for name, pattern in KINDS if re.search(pattern, where)), "everything else")


def profile(hone_run, spec, steps):
    """Shares by kind, and the single symbols that take most, as lines of text; a word of why not, where perf is not at hand."""
    with tempfile.TemporaryDirectory() as folder:
        data, watcher, done = f"{folder}/perf.data", None, 0
        process = subprocess.Popen([hone_run, "train", spec], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in process.stdout:
            done += '"metrics"' in line
            if done == 1 and not watcher:
                try:
                    watcher = subprocess.Popen(["perf", "record", "-q", "-F", "199", "-o", data, "-p", str(process.pid)], stderr=subprocess.DEVNULL)
                except OSError:
                    process.kill()
                    return ["no profile: perf is not installed (Debian: linux-perf)"]
            elif done == steps and watcher.poll() is None:
                watcher.terminate()
                watcher.wait()
        if process.wait():
            return ["no profile: the run failed"]
        told = subprocess.run(["perf", "script", "-i", data, "-G", "-F", "ip,sym,dso"], capture_output=True, text=True).stdout.splitlines()
    if not told:
        return ["no profile: perf may not watch here (kernel.perf_event_paranoid)"]
    kinds, others = collections.Counter(), collections.Counter()
    for where in (line.strip().partition(" ")[2] for line in told):
        kind = kind_of(where)
        kinds[kind] += 1
        if kind != "matrix products":
            others[re.sub(r"[<(].*", "", where.replace("(anonymous namespace)::", "").replace("c10::function_ref<void (char**, long const*, long, long)>::", ""))[:80]] += 1
    share = lambda count: f"{100 * count / len(told):6.2f} %  "
    return [share(n) + name for name, n in kinds.most_common()] + ["beside matrix products, most take:"] + [share(n) + name for name, n in others.most_common(12)]


if __name__ == "__main__":
    print("\n".join(profile(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
