-- 0005: judges, what was shown to them and what they said; critics; snapshots.
-- Growth: 200 judges x 1 in 10 s x 8 h = 0.6 M judgments a day at most.

CREATE TABLE critics (
  team_id    uuid        NOT NULL DEFAULT current_team(),
  id         uuid        NOT NULL DEFAULT new_uuid(),
  project_id uuid        NOT NULL,
  name       text        NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  kind       text        NOT NULL CHECK (kind IN ('rule', 'llm', 'exec', 'reward')),
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (team_id, id),
  FOREIGN KEY (team_id, project_id) REFERENCES projects (team_id, id),
  CONSTRAINT critics_one_name UNIQUE (team_id, project_id, name)
);
CALL protect_by_team('critics');
GRANT UPDATE (name) ON critics TO hone_app;  -- FOR UPDATE, so that versions get numbers one by one

CREATE TABLE critic_versions (
  team_id     uuid        NOT NULL DEFAULT current_team(),
  id          uuid        NOT NULL DEFAULT new_uuid(),
  critic_id   uuid        NOT NULL,
  version     integer     NOT NULL CHECK (version > 0),
  spec        jsonb       NOT NULL,
  spec_sha256 text        NOT NULL CHECK (spec_sha256 ~ '^[0-9a-f]{64}$'),
  created_by  uuid        REFERENCES users,
  created_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (team_id, id),
  FOREIGN KEY (team_id, critic_id) REFERENCES critics (team_id, id),
  CONSTRAINT critic_versions_one_number UNIQUE (team_id, critic_id, version),
  CONSTRAINT critic_versions_one_spec UNIQUE (team_id, critic_id, spec_sha256)
);
CALL protect_by_team('critic_versions');
CALL make_immutable('critic_versions');

-- One judge per person, per critic version (agreement belongs to a version), per imported dataset.
CREATE TABLE judges (
  team_id           uuid        NOT NULL DEFAULT current_team(),
  id                uuid        NOT NULL DEFAULT new_uuid(),
  kind              text        NOT NULL CHECK (kind IN ('person', 'rule', 'llm', 'exec', 'reward', 'import')),
  user_id           uuid        REFERENCES users,
  critic_version_id uuid,
  import_name       text,
  created_at        timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (team_id, id),
  FOREIGN KEY (team_id, critic_version_id) REFERENCES critic_versions (team_id, id),
  CONSTRAINT judges_one_per_person UNIQUE (team_id, user_id),
  CONSTRAINT judges_one_per_critic_version UNIQUE (team_id, critic_version_id),
  CONSTRAINT judges_one_per_import UNIQUE (team_id, import_name),
  CONSTRAINT judges_are_of_their_kind CHECK (
    (kind = 'person') = (user_id IS NOT NULL) AND (kind = 'import') = (import_name IS NOT NULL) AND
    (kind IN ('rule', 'llm', 'exec', 'reward')) = (critic_version_id IS NOT NULL)),
  UNIQUE (team_id, id, kind)
);
CALL protect_by_team('judges');
CALL make_immutable('judges');

ALTER TABLE imports ADD FOREIGN KEY (team_id, judge_id) REFERENCES judges (team_id, id);

-- Where a response's text came from; apart, because two models may give the same text.
CREATE TABLE response_sources (
  team_id      uuid        NOT NULL DEFAULT current_team(),
  id           uuid        NOT NULL DEFAULT new_uuid(),
  response_id  uuid        NOT NULL,
  prompt_id    uuid        NOT NULL,
  base_id      uuid        REFERENCES bases,
  job_id       uuid,
  sample_index integer,
  import_id    uuid,
  sampling     jsonb,
  created_at   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (team_id, id),
  FOREIGN KEY (team_id, response_id, prompt_id) REFERENCES responses (team_id, id, prompt_id),
  FOREIGN KEY (team_id, job_id) REFERENCES jobs (team_id, id),
  FOREIGN KEY (team_id, import_id) REFERENCES imports (team_id, id),
  CONSTRAINT response_sources_one_per_sample UNIQUE (team_id, job_id, prompt_id, sample_index),
  CONSTRAINT response_sources_one_per_import UNIQUE (team_id, import_id, response_id),
  CONSTRAINT response_sources_from_somewhere CHECK ((job_id IS NULL) <> (import_id IS NULL))
);
CALL protect_by_team('response_sources');
CALL make_immutable('response_sources');

-- A judge's hold on a comparison. One row for ever: a new lease on it adds 1 to lease_no.
CREATE TABLE assignments (
  team_id       uuid        NOT NULL DEFAULT current_team(),
  id            uuid        NOT NULL DEFAULT new_uuid(),
  project_id    uuid        NOT NULL,
  comparison_id uuid        NOT NULL,
  judge_id      uuid        NOT NULL,
  state         text        NOT NULL CHECK (state IN ('leased', 'done', 'skipped', 'released', 'expired')),
  lease_no      integer     NOT NULL DEFAULT 1,
  leased_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  lease_until   timestamptz NOT NULL,
  holds_slot    boolean     NOT NULL,
  purpose       text        NOT NULL DEFAULT 'work' CHECK (purpose IN ('work', 'gold', 'training', 'review', 'audit')),
  PRIMARY KEY (team_id, id),
  FOREIGN KEY (team_id, project_id, comparison_id) REFERENCES comparisons (team_id, project_id, id),
  FOREIGN KEY (team_id, judge_id) REFERENCES judges (team_id, id),
  CONSTRAINT assignments_one_per_judge UNIQUE (team_id, comparison_id, judge_id),
  UNIQUE (team_id, id, comparison_id, judge_id),
  -- A slot given back is not held.
  CONSTRAINT assignments_hold_while_alive CHECK (NOT holds_slot OR state IN ('leased', 'done'))
) WITH (fillfactor = 80);
CREATE INDEX assignments_leased ON assignments (team_id, judge_id, project_id) WHERE state = 'leased';
CREATE INDEX assignments_by_end ON assignments (lease_until) WHERE state = 'leased';
CREATE INDEX assignments_by_project ON assignments (team_id, project_id, state);
CALL protect_by_team('assignments', 'SELECT, INSERT, UPDATE');

-- One showing: which slot stood where, left to right as on the screen.
CREATE TABLE impressions (
  team_id       uuid        NOT NULL DEFAULT current_team(),
  id            uuid        NOT NULL DEFAULT new_uuid(),
  assignment_id uuid        NOT NULL,
  lease_no      integer     NOT NULL,
  side_order    smallint[]  NOT NULL CHECK (side_order IN ('{0,1}', '{1,0}')),
  left_slot     smallint    NOT NULL GENERATED ALWAYS AS (side_order[1]) STORED,
  served_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (team_id, id),
  FOREIGN KEY (team_id, assignment_id) REFERENCES assignments (team_id, id),
  CONSTRAINT impressions_one_per_lease UNIQUE (team_id, assignment_id, lease_no),
  UNIQUE (team_id, id, assignment_id, left_slot)
);
CALL protect_by_team('impressions');
CALL make_immutable('impressions');

-- The facts that everything else is computed from. Rows are inserted and never changed: an edit or an
-- undo appends the next seq, so any figure can be computed again as it stood on any day. A resend of one
-- key changes nothing. People's rows name what was shown; critics' and imports' rows do not.
CREATE TABLE judgments (
  team_id        uuid        NOT NULL DEFAULT current_team(),
  id             uuid        NOT NULL DEFAULT new_uuid(),
  project_id     uuid        NOT NULL,
  comparison_id  uuid        NOT NULL,
  judge_id       uuid        NOT NULL,
  judge_kind     text        NOT NULL,
  seq            integer     NOT NULL CHECK (seq > 0),
  prev           integer     GENERATED ALWAYS AS (nullif(seq - 1, 0)) STORED,
  assignment_id  uuid,
  impression_id  uuid,
  left_slot      smallint,
  submit_key     text        NOT NULL CHECK (length(submit_key) BETWEEN 16 AND 128),
  body_sha256    text        NOT NULL CHECK (body_sha256 ~ '^[0-9a-f]{64}$'),
  verdict        text        NOT NULL CHECK (verdict IN ('prefer', 'tie', 'both_bad', 'skip', 'retracted')),
  strength       smallint,   -- canonical: > 0 = slot 0 better, on any side
  pressed        smallint,   -- as on the screen: > 0 = the left one better
  skip_reason    text        CHECK (skip_reason IN ('cannot_judge', 'unclear', 'offensive',
                                                    'wrong_language', 'too_long', 'other')),
  shown_ms       bigint, first_input_ms bigint, active_ms bigint, away_ms bigint,
  detail         jsonb,      -- a critic's reasons
  surplus        boolean     NOT NULL DEFAULT false,  -- came after its slot was given on
  created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (team_id, id),
  FOREIGN KEY (team_id, project_id, comparison_id) REFERENCES comparisons (team_id, project_id, id),
  FOREIGN KEY (team_id, judge_id, judge_kind) REFERENCES judges (team_id, id, kind),
  FOREIGN KEY (team_id, assignment_id, comparison_id, judge_id)
    REFERENCES assignments (team_id, id, comparison_id, judge_id),
  FOREIGN KEY (team_id, impression_id, assignment_id, left_slot)
    REFERENCES impressions (team_id, id, assignment_id, left_slot),
  CONSTRAINT judgments_one_history UNIQUE (team_id, comparison_id, judge_id, seq),
  -- No gap, no fork, no second root.
  CONSTRAINT judgments_no_gap FOREIGN KEY (team_id, comparison_id, judge_id, prev)
    REFERENCES judgments (team_id, comparison_id, judge_id, seq),
  CONSTRAINT judgments_one_per_key UNIQUE (team_id, judge_id, submit_key),
  CONSTRAINT judgments_strength_fits CHECK (CASE verdict
    WHEN 'prefer' THEN coalesce(strength BETWEEN -3 AND 3 AND strength <> 0, false)
    WHEN 'tie' THEN coalesce(strength = 0, false)
    ELSE strength IS NULL END),
  CONSTRAINT judgments_skip_has_reason CHECK ((verdict = 'skip') = (skip_reason IS NOT NULL)),
  CONSTRAINT judgments_people_were_shown CHECK (CASE WHEN judge_kind = 'person'
    THEN assignment_id IS NOT NULL AND impression_id IS NOT NULL AND left_slot IS NOT NULL
    ELSE assignment_id IS NULL AND impression_id IS NULL AND left_slot IS NULL AND pressed IS NULL END),
  CONSTRAINT judgments_pressed_is_strength_turned CHECK (judge_kind <> 'person' OR
    pressed IS NOT DISTINCT FROM (CASE WHEN left_slot = 0 THEN strength ELSE -strength END))
);
-- Serves "my recent work", newest first.
CREATE INDEX judgments_by_judge ON judgments (team_id, judge_id, id DESC);
CREATE INDEX judgments_by_project ON judgments (team_id, project_id, created_at);
CALL protect_by_team('judgments');
CALL make_immutable('judgments');
REVOKE UPDATE, DELETE, TRUNCATE ON judgments FROM hone_app;

-- Where a judge is in a project's order. Its row lock lets one judge's calls run one by one.
CREATE TABLE queue_cursors (
  team_id       uuid   NOT NULL DEFAULT current_team(),
  judge_id      uuid   NOT NULL,
  project_id    uuid   NOT NULL,
  returned_key  bigint NOT NULL DEFAULT -9223372036854775808,  -- lane 0
  new_key       bigint NOT NULL DEFAULT -9223372036854775808,  -- lane 1
  seen_added    bigint,  -- versions at which nothing was left; NULL = not known to be empty
  seen_returned bigint,
  PRIMARY KEY (team_id, judge_id, project_id),
  FOREIGN KEY (team_id, judge_id) REFERENCES judges (team_id, id),
  FOREIGN KEY (team_id, project_id) REFERENCES projects (team_id, id)
) WITH (fillfactor = 70);
CALL protect_by_team('queue_cursors', 'SELECT, INSERT, UPDATE');

CREATE TABLE snapshots (
  team_id         uuid        NOT NULL DEFAULT current_team(),
  id              uuid        NOT NULL DEFAULT new_uuid(),
  project_id      uuid        NOT NULL,
  number          integer     NOT NULL CHECK (number > 0),
  name            text        NOT NULL,
  root            text        NOT NULL CHECK (root ~ '^[0-9a-f]{64}$'),
  manifest_sha256 text        NOT NULL CHECK (manifest_sha256 ~ '^[0-9a-f]{64}$'),
  artifact_sha256 text        NOT NULL CHECK (artifact_sha256 ~ '^[0-9a-f]{64}$'),
  artifact_bytes  bigint      NOT NULL,
  rows            jsonb       NOT NULL,
  judges          jsonb       NOT NULL,
  statistics      jsonb       NOT NULL,
  aggregation     jsonb       NOT NULL,
  manifest        jsonb       NOT NULL,
  created_by      uuid        REFERENCES users,
  created_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (team_id, id),
  FOREIGN KEY (team_id, project_id) REFERENCES projects (team_id, id),
  CONSTRAINT snapshots_one_number UNIQUE (team_id, project_id, number),
  CONSTRAINT snapshots_one_content UNIQUE (team_id, project_id, root, manifest_sha256)
);
CALL protect_by_team('snapshots');
CALL make_immutable('snapshots');

CREATE TABLE snapshot_rows (
  team_id     uuid    NOT NULL DEFAULT current_team(),
  snapshot_id uuid    NOT NULL,
  ordinal     integer NOT NULL CHECK (ordinal >= 0),
  judgment_id uuid    NOT NULL,
  leaf_sha256 text    NOT NULL,
  split       text    NOT NULL,
  PRIMARY KEY (team_id, snapshot_id, ordinal),
  FOREIGN KEY (team_id, snapshot_id) REFERENCES snapshots (team_id, id),
  FOREIGN KEY (team_id, judgment_id) REFERENCES judgments (team_id, id),
  CONSTRAINT snapshot_rows_once UNIQUE (team_id, snapshot_id, judgment_id)
);
CALL protect_by_team('snapshot_rows');
CALL make_immutable('snapshot_rows');
