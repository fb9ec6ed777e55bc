"""What must hold after any fault, read from the database and the files. Shares no code with Hone."""
import hashlib
import pathlib

from harness import HarnessError, check

LIVE = ("created", "validating", "queued", "leased", "running", "pausing", "publishing", "cancelling")


def rows(home, query):
    return home.sql(query)


def number(home, query):
    found = home.sql(query)
    if len(found) != 1:  # a failed question is not the answer "none"
        raise HarnessError(f"one row was expected of: {query}")
    return int(found[0][0])


def sha256_of(file):
    digest = hashlib.sha256()
    with open(file, "rb") as f:
        while block := f.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def invariants(home):
    """I2-I4, I8: over the whole installation."""
    gaps = rows(home, """
        SELECT j.id, j.event_seq, count(e.seq), max(e.seq) FROM jobs j LEFT JOIN job_events e ON e.job_id = j.id
         GROUP BY j.id, j.event_seq HAVING count(e.seq) <> coalesce(max(e.seq), 0) OR coalesce(max(e.seq), 0) <> j.event_seq""")
    check(not gaps, f"a job's events have gaps: {gaps}")
    epochs = rows(home, """
        SELECT j.id FROM jobs j WHERE (SELECT count(*) FROM job_attempts a WHERE a.job_id = j.id) <> j.lease_epoch
           OR (SELECT coalesce(max(a.epoch), 0) FROM job_attempts a WHERE a.job_id = j.id) <> j.lease_epoch""")
    check(not epochs, f"attempts and lease epochs disagree: {epochs}")
    stuck = rows(home, f"SELECT id, state FROM jobs WHERE state IN {LIVE}")
    check(not stuck, f"a job is still alive: {stuck}")
    ends = rows(home, """
        SELECT job_id, count(*) FROM job_events WHERE type IN ('succeeded', 'failed', 'dead', 'cancelled')
         GROUP BY job_id HAVING count(*) <> 1""")
    check(not ends, f"a job ended more than once: {ends}")
    published = rows(home, """
        SELECT j.id FROM jobs j LEFT JOIN versions v ON v.job_id = j.id
         WHERE j.kind = 'train' GROUP BY j.id, j.state HAVING count(v.id) <> (CASE j.state WHEN 'succeeded' THEN 1 ELSE 0 END)""")
    check(not published, f"runs and versions disagree: {published}")
    doubled = rows(home, """
        SELECT judge_id, submit_key FROM judgments GROUP BY judge_id, submit_key HAVING count(*) > 1""")
    check(not doubled, f"a judgment twice under one key: {doubled}")
    oversold = rows(home, """
        SELECT comparison_id, judge_id FROM judgments WHERE judge_kind = 'person'
         GROUP BY comparison_id, judge_id HAVING count(*) <> max(seq)""")
    check(not oversold, f"a judge's history has gaps: {oversold}")
    for path, sha256 in rows(home, "SELECT path, sha256 FROM version_files"):
        file = pathlib.Path(home.home) / "store/sha256" / sha256[:2] / sha256
        check(file.is_file(), f"published file {path} is not in the store")
        check(sha256_of(file) == sha256, f"published file {path} does not have its hash")


def judgments(home, project, acknowledged):
    """I1, I2: each acknowledged judgment is there once, as it was sent; nothing else is."""
    stored = {r[0]: r[1:] for r in rows(home, f"""
        SELECT id, submit_key, assignment_id, abs(strength) FROM judgments
         WHERE project_id = '{project}' AND judge_kind = 'person'""")}
    for one in acknowledged:
        check(one["id"] in stored, f"acknowledged judgment {one['id']} is lost")
        want = [one["key"], one["assignment"], str(one["strength"])]
        check(list(stored[one["id"]]) == want, f"judgment {one['id']} is {stored[one['id']]}, sent was {want}")
    check(len(acknowledged) == len({one["id"] for one in acknowledged}), "one id was given to two judgments")
    check(len(stored) == len(acknowledged), f"{len(stored)} judgments stored, {len(acknowledged)} acknowledged: no key was left unanswered")
    comparisons = number(home, f"""
        SELECT count(*) FROM (SELECT comparison_id FROM judgments WHERE project_id = '{project}' AND judge_kind = 'person'
                              GROUP BY comparison_id HAVING count(*) > 1) t""")
    check(comparisons == 0, f"{comparisons} comparisons have more judgments than were asked for")


def everything(home, run):
    """All rows that a run has, and the hashes of what it published: to be compared with itself."""
    dump = {table: rows(home, f"SELECT t::text FROM {table} t WHERE {key} = '{run}' ORDER BY 1") for table, key in
            (("jobs", "id"), ("job_attempts", "job_id"), ("job_events", "job_id"), ("checkpoints", "job_id"), ("versions", "job_id"))}
    folder = pathlib.Path(home.home) / "jobs" / run / "published"
    dump["files"] = [(str(f.relative_to(folder)), sha256_of(f)) for f in sorted(folder.rglob("*")) if f.is_file()]
    check(dump["files"], "the run's published folder is there")
    return dump
