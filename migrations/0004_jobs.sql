-- 0004: bases, and the queue of jobs. PostgreSQL decides who owns a job; Redis only wakes.
-- Size: jobs by the thousand, events up to some ten thousand a long run.

-- Open-weight models registered on the instance: shared by all teams, so without a team.
CREATE TABLE bases (
  id           uuid        PRIMARY KEY DEFAULT new_uuid(),
  name         text        NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  description  text        NOT NULL DEFAULT '',
  architecture text        NOT NULL DEFAULT '',
  format       text        NOT NULL CHECK (format IN ('gguf', 'hf')),
  sha256       text        NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  bytes        bigint      NOT NULL CHECK (bytes >= 0),
  created_at   timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT bases_one_name UNIQUE (name)
);
GRANT SELECT, INSERT ON bases TO hone_app;
CALL make_immutable('bases');

-- The legal moves; feedback/lifecycle/job.cpp holds the same table and a test compares them.
CREATE TABLE jobs_moves (
  from_state text NOT NULL,
  to_state   text NOT NULL,
  PRIMARY KEY (from_state, to_state)
);
INSERT INTO jobs_moves VALUES
  ('created', 'validating'), ('created', 'queued'), ('created', 'cancelled'), ('created', 'failed'),
  ('validating', 'queued'), ('validating', 'cancelled'), ('validating', 'failed'),
  ('queued', 'leased'), ('queued', 'cancelled'), ('queued', 'failed'),
  ('leased', 'running'), ('leased', 'queued'), ('leased', 'cancelling'), ('leased', 'failed'),
  ('leased', 'dead'),
  ('running', 'publishing'), ('running', 'succeeded'), ('running', 'pausing'), ('running', 'queued'),
  ('running', 'cancelling'), ('running', 'failed'), ('running', 'dead'),
  ('pausing', 'paused'), ('pausing', 'queued'), ('pausing', 'cancelling'), ('pausing', 'failed'),
  ('pausing', 'dead'),
  ('paused', 'queued'), ('paused', 'cancelled'),
  ('publishing', 'succeeded'), ('publishing', 'queued'), ('publishing', 'cancelling'),
  ('publishing', 'failed'), ('publishing', 'dead'),
  ('cancelling', 'cancelled');
GRANT SELECT ON jobs_moves TO hone_app;

CREATE TABLE jobs (
  team_id             uuid        NOT NULL DEFAULT current_team(),
  id                  uuid        NOT NULL DEFAULT new_uuid(),
  project_id          uuid        NOT NULL,
  kind                text        NOT NULL CHECK (kind IN ('train', 'sample', 'judge')),
  spec                jsonb       NOT NULL,
  spec_sha256         text        NOT NULL CHECK (spec_sha256 ~ '^[0-9a-f]{64}$'),
  state               text        NOT NULL DEFAULT 'created',
  priority            integer     NOT NULL DEFAULT 0,
  gpu_class           text        NOT NULL DEFAULT 'cpu',
  run_after           timestamptz NOT NULL DEFAULT clock_timestamp(),
  nudged_at           timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- The lease. The epoch rises with every grant and is what every write is checked against; lease_until
  -- is for people: whether a holder is gone is decided by its counter (see list_heartbeats).
  lease_epoch         bigint      NOT NULL DEFAULT 0,
  lease_owner         text,
  lease_token_sha256  text,
  lease_until         timestamptz,
  heartbeat_no        bigint      NOT NULL DEFAULT 0,
  attempts_infra      integer     NOT NULL DEFAULT 0,
  attempts_bug        integer     NOT NULL DEFAULT 0,
  last_step           bigint      NOT NULL DEFAULT 0,
  cancel_requested_at timestamptz,
  pause_requested_at  timestamptz,
  progress            jsonb,
  metrics             jsonb,
  error               jsonb,
  result              jsonb,
  event_seq           bigint      NOT NULL DEFAULT 0,
  created_by          uuid        REFERENCES users,
  created_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
  started_at          timestamptz,
  finished_at         timestamptz,
  PRIMARY KEY (team_id, id),
  FOREIGN KEY (team_id, project_id) REFERENCES projects (team_id, id),
  -- By id alone for the job functions, which are given no team. UUIDv7 text reveals nothing.
  CONSTRAINT jobs_one_id UNIQUE (id),
  CONSTRAINT jobs_held_by_somebody CHECK
    (state NOT IN ('leased', 'running', 'pausing', 'publishing') OR lease_token_sha256 IS NOT NULL)
) WITH (fillfactor = 70);
CREATE INDEX jobs_by_project ON jobs (team_id, project_id, id DESC);
CREATE INDEX jobs_claimable ON jobs (gpu_class, priority DESC, created_at) WHERE state = 'queued';
CREATE INDEX jobs_held ON jobs (id)
  WHERE state IN ('leased', 'running', 'pausing', 'publishing', 'cancelling');
CALL protect_by_team('jobs', 'SELECT, INSERT');
-- The server moves a job only to cancel it; everything else is the job functions'.
GRANT UPDATE (state, cancel_requested_at, finished_at, event_seq) ON jobs TO hone_app;

CREATE FUNCTION check_job_move() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM jobs_moves WHERE from_state = OLD.state AND to_state = NEW.state) THEN
    RAISE EXCEPTION 'a job cannot go from % to %', OLD.state, NEW.state USING ERRCODE = 'HN409';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER legal_move BEFORE UPDATE OF state ON jobs FOR EACH ROW
  WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION check_job_move();

CREATE TABLE job_attempts (
  team_id        uuid        NOT NULL,
  job_id         uuid        NOT NULL,
  epoch          bigint      NOT NULL,
  worker         text        NOT NULL,
  started_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  ended_at       timestamptz,
  outcome        text,
  blame          text        CHECK (blame IN ('infra', 'user', 'bug', 'drained')),
  exit_signature text,
  last_step      bigint,
  PRIMARY KEY (team_id, job_id, epoch),
  FOREIGN KEY (team_id, job_id) REFERENCES jobs (team_id, id)
);
CALL protect_by_team('job_attempts', 'SELECT');

CREATE TABLE job_events (
  team_id uuid        NOT NULL,
  job_id  uuid        NOT NULL,
  seq     bigint      NOT NULL CHECK (seq > 0),
  at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  type    text        NOT NULL CHECK (type IN (
    'created', 'validated', 'queued', 'claimed', 'started', 'progress', 'metrics', 'evaluation',
    'checkpoint_saved', 'checkpoint_adopted', 'preempted', 'paused', 'resumed', 'lease_lost',
    'retrying', 'cancelling', 'cancelled', 'publishing', 'published', 'succeeded', 'failed', 'dead',
    'warning', 'message')),
  level   text        NOT NULL DEFAULT 'info' CHECK (level IN ('info', 'warning', 'error')),
  message text        NOT NULL DEFAULT '',
  data    jsonb,
  PRIMARY KEY (team_id, job_id, seq),
  FOREIGN KEY (team_id, job_id) REFERENCES jobs (team_id, id)
);
CALL protect_by_team('job_events');
CALL make_immutable('job_events');

CREATE TABLE checkpoints (
  team_id         uuid        NOT NULL,
  job_id          uuid        NOT NULL,
  step            bigint      NOT NULL CHECK (step >= 0),
  epoch           bigint      NOT NULL,
  path            text        NOT NULL,
  manifest_sha256 text        NOT NULL CHECK (manifest_sha256 ~ '^[0-9a-f]{64}$'),
  bytes           bigint      NOT NULL,
  kind            text        NOT NULL DEFAULT 'resume' CHECK (kind IN ('resume', 'sampler')),
  adopted_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (team_id, job_id, step, epoch),
  FOREIGN KEY (team_id, job_id) REFERENCES jobs (team_id, id)
);
CALL protect_by_team('checkpoints', 'SELECT');

-- Hints on their way to Redis. No team: it holds ids only, and any server relays for all.
CREATE TABLE outbox (
  id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  topic        text        NOT NULL,
  key          text        NOT NULL,
  payload      jsonb       NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  published_at timestamptz
);
CREATE INDEX outbox_waiting ON outbox (id) WHERE published_at IS NULL;
CREATE INDEX outbox_sent ON outbox (published_at) WHERE published_at IS NOT NULL;
GRANT SELECT, INSERT, DELETE ON outbox TO hone_app;
GRANT UPDATE (published_at) ON outbox TO hone_app;

-- Who asks for work; for "why is it waiting". Of the instance.
CREATE TABLE workers (
  name         text        PRIMARY KEY,
  gpu_class    text        NOT NULL,
  version      text        NOT NULL DEFAULT '',
  started_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  last_seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
GRANT SELECT ON workers TO hone_app;

-- The next event of a job, in the transaction of the change it tells of. NOTIFY is the hint for streams.
CREATE FUNCTION append_event(p_job uuid, p_type text, p_level text DEFAULT 'info',
                             p_message text DEFAULT '', p_data jsonb DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  v_team uuid;
  v_seq  bigint;
BEGIN
  UPDATE jobs SET event_seq = event_seq + 1 WHERE id = p_job RETURNING team_id, event_seq INTO v_team, v_seq;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no such job' USING ERRCODE = 'HN404';
  END IF;
  INSERT INTO job_events (team_id, job_id, seq, type, level, message, data)
  VALUES (v_team, p_job, v_seq, p_type, p_level, p_message, p_data);
  PERFORM pg_notify('hone_events', p_job::text);
  RETURN v_seq;
END $$;

CREATE FUNCTION wake_worker(p_job uuid, p_gpu_class text) RETURNS void LANGUAGE sql AS $$
  INSERT INTO outbox (topic, key, payload)
  VALUES ('hone:jobs:' || p_gpu_class, p_job::text, jsonb_build_object('job_id', p_job))
$$;
GRANT EXECUTE ON FUNCTION append_event(uuid, text, text, text, jsonb), wake_worker(uuid, text) TO hone_app;
