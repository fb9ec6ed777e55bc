-- 0003: projects and what is compared in them. Prompts, responses and comparisons are immutable and
-- found again by content, so a second import adds nothing. Size: up to some million rows a team.

-- One name for a list of messages, whatever the JSON around it looked like: each role and content with its
-- length before it, so that no two lists run together. Only role and content count.
CREATE FUNCTION messages_sha256(messages jsonb) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog AS $$
  SELECT encode(sha256(convert_to(coalesce(string_agg(
           octet_length(m->>'role') || ':' || (m->>'role') || ',' ||
           octet_length(m->>'content') || ':' || (m->>'content') || ',', '' ORDER BY n), ''), 'UTF8')), 'hex')
    FROM jsonb_array_elements(messages) WITH ORDINALITY AS e (m, n)
$$;
CREATE FUNCTION question_set_sha256(questions jsonb, guideline text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog AS $$
  SELECT encode(sha256(convert_to(octet_length(questions::text) || ':' || questions::text || ',' ||
                                  guideline, 'UTF8')), 'hex')
$$;
GRANT EXECUTE ON FUNCTION messages_sha256(jsonb), question_set_sha256(jsonb, text) TO hone_app;

CREATE TABLE projects (
  team_id         uuid        NOT NULL DEFAULT current_team() REFERENCES teams,
  id              uuid        NOT NULL DEFAULT new_uuid(),
  slug            text        NOT NULL CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  name            text        NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  overlap         smallint    NOT NULL DEFAULT 1 CHECK (overlap BETWEEN 1 AND 100),
  held_out_share  float8      NOT NULL DEFAULT 0.2 CHECK (held_out_share BETWEEN 0 AND 0.9),
  lease_minutes   smallint    NOT NULL DEFAULT 15 CHECK (lease_minutes BETWEEN 1 AND 240),
  paused          boolean     NOT NULL DEFAULT false,
  created_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (team_id, id),
  CONSTRAINT projects_one_slug UNIQUE (team_id, slug)
);
CALL protect_by_team('projects', 'SELECT, INSERT, UPDATE');

-- What moved in a project's queue: raised by imports and samples (added) and by slots given back
-- (returned), so that a judge with nothing left asks again without a scan. Apart from projects: it is
-- written often, projects are read by every request.
CREATE TABLE work_versions (
  team_id    uuid   NOT NULL DEFAULT current_team(),
  project_id uuid   NOT NULL,
  added      bigint NOT NULL DEFAULT 0,
  returned   bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (team_id, project_id),
  FOREIGN KEY (team_id, project_id) REFERENCES projects (team_id, id)
);
CALL protect_by_team('work_versions', 'SELECT, INSERT, UPDATE');

CREATE TABLE question_sets (
  team_id    uuid        NOT NULL DEFAULT current_team(),
  id         uuid        NOT NULL DEFAULT new_uuid(),
  project_id uuid        NOT NULL,
  version    integer     NOT NULL CHECK (version > 0),
  questions  jsonb       NOT NULL DEFAULT '[]',
  guideline  text        NOT NULL,
  sha256     text        NOT NULL GENERATED ALWAYS AS
                         (question_set_sha256(questions, guideline)) STORED,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (team_id, id),
  FOREIGN KEY (team_id, project_id) REFERENCES projects (team_id, id),
  CONSTRAINT question_sets_one_version UNIQUE (team_id, project_id, version),
  UNIQUE (team_id, project_id, id)
);
CALL protect_by_team('question_sets');
CALL make_immutable('question_sets');

CREATE TABLE prompts (
  team_id        uuid        NOT NULL DEFAULT current_team(),
  id             uuid        NOT NULL DEFAULT new_uuid(),
  project_id     uuid        NOT NULL,
  messages       jsonb       NOT NULL CHECK (jsonb_typeof(messages) = 'array'),
  content_sha256 text        NOT NULL GENERATED ALWAYS AS (messages_sha256(messages)) STORED,
  split          text        NOT NULL CHECK (split IN ('train', 'held_out')),
  external_id    text        CHECK (length(external_id) BETWEEN 1 AND 500),
  created_at     timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (team_id, id),
  FOREIGN KEY (team_id, project_id) REFERENCES projects (team_id, id),
  CONSTRAINT prompts_one_content UNIQUE (team_id, project_id, content_sha256),
  CONSTRAINT prompts_one_external_id UNIQUE (team_id, project_id, external_id),
  UNIQUE (team_id, project_id, id)
);
CALL protect_by_team('prompts');
CALL make_immutable('prompts');

CREATE TABLE responses (
  team_id            uuid        NOT NULL DEFAULT current_team(),
  id                 uuid        NOT NULL DEFAULT new_uuid(),
  project_id         uuid        NOT NULL,
  prompt_id          uuid        NOT NULL,
  messages           jsonb       NOT NULL CHECK (jsonb_typeof(messages) = 'array'),
  content_sha256     text        NOT NULL GENERATED ALWAYS AS (messages_sha256(messages)) STORED,
  parent_response_id uuid,  -- of a rewrite
  created_at         timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (team_id, id),
  FOREIGN KEY (team_id, project_id, prompt_id) REFERENCES prompts (team_id, project_id, id),
  FOREIGN KEY (team_id, parent_response_id) REFERENCES responses (team_id, id),
  CONSTRAINT responses_one_content UNIQUE (team_id, prompt_id, content_sha256),
  UNIQUE (team_id, id, prompt_id)
);
CREATE INDEX responses_by_project ON responses (team_id, project_id);
CALL protect_by_team('responses');
CALL make_immutable('responses');

CREATE TABLE comparisons (
  team_id         uuid        NOT NULL DEFAULT current_team(),
  id              uuid        NOT NULL,
  project_id      uuid        NOT NULL,
  lineage_id      uuid        NOT NULL,
  revision        integer     NOT NULL DEFAULT 1 CHECK (revision > 0),
  prompt_id       uuid        NOT NULL,
  question_set_id uuid        NOT NULL,
  k               smallint    NOT NULL DEFAULT 2 CHECK (k BETWEEN 1 AND 9),
  content_sha256  text        NOT NULL,  -- of the prompt's and the slots' content
  created_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (team_id, id),
  FOREIGN KEY (team_id, project_id, prompt_id) REFERENCES prompts (team_id, project_id, id),
  FOREIGN KEY (team_id, project_id, question_set_id) REFERENCES question_sets (team_id, project_id, id),
  CONSTRAINT comparisons_one_revision UNIQUE (team_id, lineage_id, revision),
  CONSTRAINT comparisons_one_content UNIQUE (team_id, project_id, content_sha256, revision),
  UNIQUE (team_id, id, prompt_id),
  UNIQUE (team_id, project_id, id)
);
CALL protect_by_team('comparisons');
CALL make_immutable('comparisons');

-- Slots lie in the order of the responses' hashes, never in the file's: else slot 0 leaks which one an
-- import called the better.
CREATE TABLE comparison_responses (
  team_id       uuid     NOT NULL DEFAULT current_team(),
  comparison_id uuid     NOT NULL,
  slot          smallint NOT NULL CHECK (slot >= 0),
  response_id   uuid     NOT NULL,
  prompt_id     uuid     NOT NULL,  -- the same on both sides: a comparison has one prompt
  PRIMARY KEY (team_id, comparison_id, slot),
  UNIQUE (team_id, comparison_id, response_id),
  FOREIGN KEY (team_id, comparison_id, prompt_id) REFERENCES comparisons (team_id, id, prompt_id),
  FOREIGN KEY (team_id, response_id, prompt_id) REFERENCES responses (team_id, id, prompt_id)
);
CALL protect_by_team('comparison_responses');
CALL make_immutable('comparison_responses');

-- The queue. Narrow, because it is what changes: target = open_slots + assignments that hold one.
-- Lane 0: given back, in the order of coming back. Lane 1: in the project's order (a seeded hash).
CREATE SEQUENCE work_item_returns;
GRANT USAGE ON SEQUENCE work_item_returns TO hone_app;
CREATE TABLE work_items (
  team_id       uuid     NOT NULL DEFAULT current_team(),
  comparison_id uuid     NOT NULL,
  project_id    uuid     NOT NULL,
  target        smallint NOT NULL CHECK (target >= 0),
  open_slots    smallint NOT NULL,
  lane          smallint NOT NULL DEFAULT 1 CHECK (lane IN (0, 1)),
  sort_key      bigint   NOT NULL,
  select_p      float8   NOT NULL DEFAULT 1,
  select_reason text     NOT NULL DEFAULT 'all',
  state         text     NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed')),
  PRIMARY KEY (team_id, comparison_id),
  FOREIGN KEY (team_id, project_id, comparison_id) REFERENCES comparisons (team_id, project_id, id),
  CONSTRAINT work_items_never_oversold CHECK (open_slots BETWEEN 0 AND target)
) WITH (fillfactor = 80);
CREATE INDEX work_items_by_order ON work_items (team_id, project_id, lane, sort_key)
  WHERE open_slots > 0 AND state = 'open';
CREATE INDEX work_items_by_project ON work_items (team_id, project_id);
CALL protect_by_team('work_items', 'SELECT, INSERT, UPDATE');

CREATE TABLE imports (
  team_id     uuid        NOT NULL DEFAULT current_team(),
  id          uuid        NOT NULL DEFAULT new_uuid(),
  project_id  uuid        NOT NULL,
  format      text        NOT NULL,
  file_sha256 text        NOT NULL,
  judge_id    uuid,
  created_by  uuid        REFERENCES users,
  prompts     bigint, responses bigint, comparisons bigint, judgments bigint,
  duplicates  bigint, refused bigint,
  created_at  timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz,
  PRIMARY KEY (team_id, id),
  FOREIGN KEY (team_id, project_id) REFERENCES projects (team_id, id)
);
CALL protect_by_team('imports', 'SELECT, INSERT, UPDATE');
