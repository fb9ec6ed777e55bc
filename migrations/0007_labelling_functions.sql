-- 0007: what must be atomic about labelling: making comparisons, handing them out, taking answers.
-- All but the sweep run as the caller, under its row-level security.
-- Order of locks, everywhere: a judge's cursor, a work item, its assignment, the project's work version.

-- Raises a version, so that judges with nothing left look again. Last thing in a transaction.
CREATE FUNCTION note_work(p_team uuid, p_project uuid, p_added boolean) RETURNS void LANGUAGE sql AS $$
  UPDATE work_versions
     SET added = added + p_added::int, returned = returned + (NOT p_added)::int
   WHERE team_id = p_team AND project_id = p_project
$$;

-- Makes a comparison of each pair of responses that has none yet, slots in the order of the contents' hashes;
-- with a work item where p_ask says so. Returns those made now.
CREATE FUNCTION make_comparisons(p_team uuid, p_project uuid, p_prompts uuid[], p_first uuid[],
                                 p_second uuid[], p_ask boolean[])
RETURNS TABLE (comparison_id uuid, asked boolean) LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY
  WITH pairs AS MATERIALIZED (
    SELECT DISTINCT ON (sha) new_uuid() AS id, u.prompt, u.ask,
           CASE WHEN a.content_sha256 < b.content_sha256 THEN a.id ELSE b.id END AS slot0,
           CASE WHEN a.content_sha256 < b.content_sha256 THEN b.id ELSE a.id END AS slot1, s.sha
      FROM unnest(p_prompts, p_first, p_second, p_ask) WITH ORDINALITY AS u (prompt, r0, r1, ask, n)
      JOIN prompts p ON p.team_id = p_team AND p.id = u.prompt AND p.project_id = p_project
      JOIN responses a ON a.team_id = p_team AND a.id = u.r0 AND a.prompt_id = u.prompt
      JOIN responses b ON b.team_id = p_team AND b.id = u.r1 AND b.prompt_id = u.prompt,
      LATERAL (SELECT encode(sha256(convert_to(p.content_sha256 || ':' ||
                 least(a.content_sha256, b.content_sha256) || ':' ||
                 greatest(a.content_sha256, b.content_sha256), 'UTF8')), 'hex') AS sha) s
     WHERE a.content_sha256 <> b.content_sha256
     ORDER BY sha, u.n
  ), made AS (
    INSERT INTO comparisons (team_id, id, project_id, lineage_id, prompt_id, question_set_id, content_sha256)
    SELECT p_team, pairs.id, p_project, pairs.id, pairs.prompt,
           (SELECT q.id FROM question_sets q WHERE q.team_id = p_team AND q.project_id = p_project
             ORDER BY q.version DESC LIMIT 1),
           pairs.sha
      FROM pairs
    ON CONFLICT ON CONSTRAINT comparisons_one_content DO NOTHING
    RETURNING comparisons.id
  ), slots AS (
    INSERT INTO comparison_responses (team_id, comparison_id, slot, response_id, prompt_id)
    SELECT p_team, pairs.id, v.slot, v.response, pairs.prompt
      FROM made JOIN pairs USING (id),
      LATERAL (VALUES (0::smallint, pairs.slot0), (1::smallint, pairs.slot1)) AS v (slot, response)
  ), items AS (
    INSERT INTO work_items (team_id, comparison_id, project_id, target, open_slots, sort_key)
    SELECT p_team, pairs.id, p_project, pr.overlap, pr.overlap,
           hashtextextended(pairs.id::text, hashtextextended(p_project::text, 0))
      FROM made JOIN pairs USING (id)
      JOIN projects pr ON pr.team_id = p_team AND pr.id = p_project
     WHERE pairs.ask
  )
  SELECT made.id, pairs.ask FROM made JOIN pairs USING (id);
END $$;

-- One batch of an import; storage/repo/prompts.h says what a row is. Set by set, so that a thousand
-- rows cost a dozen statements. Fresh marks the rows that added something.
CREATE FUNCTION import_rows(p_project uuid, p_import uuid, p_judge uuid, p_rows jsonb)
RETURNS TABLE (prompts bigint, responses bigint, comparisons bigint, judgments bigint, duplicates bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  v_team  uuid := current_team();
  v_share float8;
BEGIN
  SELECT held_out_share INTO v_share FROM projects WHERE team_id = v_team AND id = p_project;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no such project' USING ERRCODE = 'HN404';
  END IF;

  CREATE TEMP TABLE IF NOT EXISTS staged_rows (
    n bigint, messages jsonb, sha text, external_id text, split text, responses jsonb,
    verdict text, strength int, prompt_id uuid, fresh boolean DEFAULT false) ON COMMIT DELETE ROWS;
  CREATE TEMP TABLE IF NOT EXISTS staged_responses (
    n bigint, i bigint, messages jsonb, sha text, prompt_id uuid, response_id uuid) ON COMMIT DELETE ROWS;
  DELETE FROM pg_temp.staged_rows;
  DELETE FROM pg_temp.staged_responses;

  INSERT INTO pg_temp.staged_rows (n, messages, sha, external_id, split, responses, verdict, strength)
  SELECT e.n, e.r->'prompt', messages_sha256(e.r->'prompt'), e.r->>'external_id', e.r->>'split',
         coalesce(nullif(e.r->'responses', 'null'), '[]'), e.r->'label'->>'verdict',
         (e.r->'label'->>'strength')::int
    FROM jsonb_array_elements(p_rows) WITH ORDINALITY AS e (r, n);

  WITH wanted AS (
    SELECT DISTINCT ON (sha) n, messages, sha, external_id, split FROM pg_temp.staged_rows ORDER BY sha, n
  ), added AS (
    INSERT INTO prompts (team_id, project_id, messages, split, external_id)
    SELECT v_team, p_project, messages,
           coalesce(split, CASE WHEN ('x' || substr(encode(sha256(convert_to(p_project::text || sha, 'UTF8')), 'hex'), 1, 8))
                                       ::bit(32)::bigint < v_share * 4294967296 THEN 'held_out' ELSE 'train' END),
           external_id
      FROM wanted ORDER BY n
    ON CONFLICT ON CONSTRAINT prompts_one_content DO NOTHING
    RETURNING content_sha256
  ), marked AS (
    UPDATE pg_temp.staged_rows s SET fresh = true
      FROM wanted w JOIN added a ON a.content_sha256 = w.sha WHERE s.n = w.n
    RETURNING 1
  )
  SELECT count(*) INTO prompts FROM marked;

  UPDATE pg_temp.staged_rows s SET prompt_id = p.id
    FROM prompts p WHERE p.team_id = v_team AND p.project_id = p_project AND p.content_sha256 = s.sha;

  INSERT INTO pg_temp.staged_responses (n, i, messages, sha, prompt_id)
  SELECT s.n, e.i, e.m, messages_sha256(e.m), s.prompt_id
    FROM pg_temp.staged_rows s, LATERAL jsonb_array_elements(s.responses) WITH ORDINALITY AS e (m, i);

  WITH wanted AS (
    SELECT DISTINCT ON (prompt_id, sha) n, i, messages, sha, prompt_id
      FROM pg_temp.staged_responses ORDER BY prompt_id, sha, n, i
  ), added AS (
    INSERT INTO responses (team_id, project_id, prompt_id, messages)
    SELECT v_team, p_project, prompt_id, messages FROM wanted ORDER BY n, i
    ON CONFLICT ON CONSTRAINT responses_one_content DO NOTHING
    RETURNING prompt_id, content_sha256
  ), marked AS (
    UPDATE pg_temp.staged_rows s SET fresh = true
      FROM wanted w JOIN added a ON a.prompt_id = w.prompt_id AND a.content_sha256 = w.sha WHERE s.n = w.n
  )
  SELECT count(*) INTO responses FROM added;

  UPDATE pg_temp.staged_responses s SET response_id = r.id
    FROM responses r WHERE r.team_id = v_team AND r.prompt_id = s.prompt_id AND r.content_sha256 = s.sha;

  INSERT INTO response_sources (team_id, response_id, prompt_id, import_id)
  SELECT DISTINCT v_team, response_id, prompt_id, p_import FROM pg_temp.staged_responses
  ON CONFLICT ON CONSTRAINT response_sources_one_per_import DO NOTHING;

  -- Every pair of distinct texts of a row; the first row that names a pair decides whether people are asked.
  WITH pairs AS (
    SELECT row_number() OVER (ORDER BY a.n, a.i, b.i) AS k, a.prompt_id, a.response_id AS r0,
           b.response_id AS r1, s.verdict IS NULL AS ask
      FROM pg_temp.staged_responses a JOIN pg_temp.staged_responses b ON b.n = a.n AND b.i > a.i AND b.sha <> a.sha
      JOIN pg_temp.staged_rows s ON s.n = a.n
  ), made AS (
    SELECT m.comparison_id FROM (
      SELECT array_agg(prompt_id ORDER BY k) p, array_agg(r0 ORDER BY k) a, array_agg(r1 ORDER BY k) b,
             array_agg(ask ORDER BY k) ask FROM pairs) x,
      LATERAL make_comparisons(v_team, p_project, x.p, x.a, x.b, x.ask) m
     WHERE x.p IS NOT NULL
  )
  SELECT count(*) INTO comparisons FROM made;

  -- Labels: of the first two responses. Strength is turned to slot 0's view.
  WITH labels AS (
    SELECT DISTINCT ON (c.id) s.n, c.id AS comparison_id, s.verdict,
           CASE WHEN s.verdict = 'prefer' THEN
             CASE WHEN a.sha < b.sha THEN s.strength ELSE -s.strength END
                WHEN s.verdict = 'tie' THEN 0 END AS strength
      FROM pg_temp.staged_rows s
      JOIN pg_temp.staged_responses a ON a.n = s.n AND a.i = 1
      JOIN pg_temp.staged_responses b ON b.n = s.n AND b.i = 2 AND b.sha <> a.sha
      JOIN comparisons c ON c.team_id = v_team AND c.project_id = p_project AND c.revision = 1
       AND c.content_sha256 = encode(sha256(convert_to(s.sha || ':' || least(a.sha, b.sha) || ':' ||
                                                       greatest(a.sha, b.sha), 'UTF8')), 'hex')
     WHERE s.verdict IS NOT NULL
     ORDER BY c.id, s.n
  ), added AS (
    INSERT INTO judgments (team_id, project_id, comparison_id, judge_id, judge_kind, seq, submit_key,
                           body_sha256, verdict, strength)
    SELECT v_team, p_project, comparison_id, p_judge, 'import', 1, 'import:' || comparison_id,
           encode(sha256(convert_to(verdict || ':' || coalesce(strength::text, ''), 'UTF8')), 'hex'),
           verdict, strength
      FROM labels ORDER BY n
    ON CONFLICT DO NOTHING
    RETURNING comparison_id
  ), marked AS (
    UPDATE pg_temp.staged_rows s SET fresh = true
      FROM labels l JOIN added a USING (comparison_id) WHERE s.n = l.n
  )
  SELECT count(*) INTO judgments FROM added;

  SELECT count(*) INTO duplicates FROM pg_temp.staged_rows WHERE NOT fresh;
  PERFORM note_work(v_team, p_project, true);
  RETURN NEXT;
END $$;

-- Ends a leased assignment without an answer, or with a skip; its slot goes to lane 0. The caller holds
-- the work item's lock. True when a slot came back (then the caller notes it).
CREATE FUNCTION give_back(p_team uuid, p_assignment uuid, p_state text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  v_held       boolean;
  v_comparison uuid;
BEGIN
  SELECT holds_slot, comparison_id INTO v_held, v_comparison
    FROM assignments WHERE team_id = p_team AND id = p_assignment FOR UPDATE;
  UPDATE assignments SET state = p_state, holds_slot = false WHERE team_id = p_team AND id = p_assignment;
  IF v_held THEN
    UPDATE work_items SET open_slots = open_slots + 1, lane = 0, sort_key = nextval('work_item_returns')
     WHERE team_id = p_team AND comparison_id = v_comparison;
  END IF;
  RETURN v_held;
END $$;

-- Takes back up to p_limit leases of a project that ran out, by the database's clock. Never waits: what is
-- being answered or handed out at this moment is left for the next time.
CREATE FUNCTION expire_leases(p_team uuid, p_project uuid, p_limit integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
  due   record;
  n     integer := 0;
  moved boolean := false;
BEGIN
  FOR due IN
    SELECT a.id, a.comparison_id FROM assignments a
     WHERE a.team_id = p_team AND a.project_id = p_project AND a.state = 'leased'
       AND a.lease_until < clock_timestamp()
     ORDER BY a.lease_until LIMIT p_limit
  LOOP
    PERFORM FROM work_items w WHERE w.team_id = p_team AND w.comparison_id = due.comparison_id
        FOR UPDATE SKIP LOCKED;
    CONTINUE WHEN NOT FOUND;
    PERFORM FROM assignments a WHERE a.team_id = p_team AND a.id = due.id AND a.state = 'leased'
        AND a.lease_until < clock_timestamp() FOR UPDATE SKIP LOCKED;
    CONTINUE WHEN NOT FOUND;
    moved := give_back(p_team, due.id, 'expired') OR moved;
    n := n + 1;
  END LOOP;
  IF moved THEN
    PERFORM note_work(p_team, p_project, false);
  END IF;
  RETURN n;
END $$;

-- The same for every project of every team; for the server's sweep.
CREATE FUNCTION expire_all_leases(p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  due record;
  n   integer := 0;
BEGIN
  FOR due IN
    SELECT DISTINCT team_id, project_id FROM assignments
     WHERE state = 'leased' AND lease_until < clock_timestamp() ORDER BY team_id, project_id
  LOOP
    EXIT WHEN n >= p_limit;
    n := n + expire_leases(due.team_id, due.project_id, p_limit - n);
  END LOOP;
  RETURN n;
END $$;

-- The next item of one lane that this judge may have and nobody else is touching, locked.
CREATE FUNCTION pick_item(p_team uuid, p_project uuid, p_judge uuid, p_lane smallint, p_after bigint,
                          OUT comparison_id uuid, OUT sort_key bigint) LANGUAGE sql AS $$
  SELECT w.comparison_id, w.sort_key FROM work_items w
   WHERE w.team_id = p_team AND w.project_id = p_project AND w.lane = p_lane AND w.sort_key > p_after
     AND w.open_slots > 0 AND w.state = 'open'
     AND NOT EXISTS (SELECT FROM assignments a
                      WHERE a.team_id = p_team AND a.comparison_id = w.comparison_id
                        AND a.judge_id = p_judge AND a.state IN ('leased', 'done', 'skipped'))
   ORDER BY w.sort_key LIMIT 1 FOR UPDATE OF w SKIP LOCKED
$$;

-- Hands out up to p_n comparisons; storage/repo/queue.h says what a caller gets. Not one CTE: each
-- statement must see what the lock before it waited for.
CREATE FUNCTION hand_out(p_project uuid, p_judge uuid, p_n integer, p_holding uuid[])
RETURNS TABLE (assignment_id uuid, reason text, retry_after_s integer) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  c_most    constant integer := 3;  -- leases a judge holds at once, in one project
  c_lowest  constant bigint := -9223372036854775808;
  v_team    uuid := current_team();
  v_project projects%ROWTYPE;
  v_cursor  queue_cursors%ROWTYPE;
  v_work    work_versions%ROWTYPE;
  v_own     uuid;
  v_held    integer := 0;
  v_given   integer := 0;
  v_wrapped boolean := false;
  v_item    record;
  v_lease   record;
BEGIN
  SELECT * INTO v_project FROM projects WHERE team_id = v_team AND id = p_project;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no such project' USING ERRCODE = 'HN404';
  END IF;
  IF v_project.paused THEN
    RETURN QUERY SELECT NULL::uuid, 'paused', 60;
    RETURN;
  END IF;

  -- One judge's calls one by one: without this, two tabs collide on the unique key.
  INSERT INTO queue_cursors (team_id, judge_id, project_id) VALUES (v_team, p_judge, p_project)
  ON CONFLICT DO NOTHING;
  SELECT * INTO v_cursor FROM queue_cursors
   WHERE team_id = v_team AND judge_id = p_judge AND project_id = p_project FOR UPDATE;

  -- What the judge holds already and the asking page does not show: a reload, another tab.
  FOR v_own IN
    SELECT id FROM assignments WHERE team_id = v_team AND judge_id = p_judge AND project_id = p_project
       AND state = 'leased' AND lease_until > clock_timestamp() ORDER BY leased_at, id
  LOOP
    v_held := v_held + 1;
    IF v_given < p_n AND NOT v_own = ANY (p_holding) THEN
      v_given := v_given + 1;
      RETURN QUERY SELECT v_own, NULL::text, 0;
    END IF;
  END LOOP;
  IF v_given >= p_n THEN
    RETURN;
  END IF;

  PERFORM expire_leases(v_team, p_project, 20);

  -- Read before the scan: what comes after this moment raises the version above what is noted below.
  SELECT * INTO v_work FROM work_versions WHERE team_id = v_team AND project_id = p_project;
  IF v_cursor.seen_added IS NOT NULL THEN
    IF v_cursor.seen_added <> v_work.added THEN
      v_cursor.new_key := c_lowest;
      v_cursor.returned_key := c_lowest;
      v_cursor.seen_added := NULL;
    ELSIF v_cursor.seen_returned IS DISTINCT FROM v_work.returned THEN
      v_cursor.returned_key := c_lowest;
      v_cursor.seen_returned := NULL;
    ELSE
      RETURN QUERY SELECT NULL::uuid, 'none_left', 30;
      RETURN;
    END IF;
    v_wrapped := true;
  END IF;

  WHILE v_given < p_n LOOP
    IF v_held >= c_most THEN
      RETURN QUERY SELECT NULL::uuid, 'cap', 5;
      EXIT;
    END IF;

    SELECT * INTO v_item FROM pick_item(v_team, p_project, p_judge, 0::smallint, v_cursor.returned_key);
    IF v_item.comparison_id IS NOT NULL THEN
      v_cursor.returned_key := v_item.sort_key;
    ELSIF v_cursor.seen_added IS NULL THEN
      SELECT * INTO v_item FROM pick_item(v_team, p_project, p_judge, 1::smallint, v_cursor.new_key);
      IF v_item.comparison_id IS NOT NULL THEN
        v_cursor.new_key := v_item.sort_key;
      END IF;
    END IF;

    IF v_item.comparison_id IS NULL THEN
      IF NOT v_wrapped THEN  -- once from the start: imports land anywhere, locked items were passed over
        v_wrapped := true;
        v_cursor.returned_key := c_lowest;
        v_cursor.new_key := c_lowest;
        CONTINUE;
      END IF;
      -- Nothing to lock. Only when there is nothing to see either is the emptiness worth noting.
      PERFORM FROM work_items w
        WHERE w.team_id = v_team AND w.project_id = p_project AND w.open_slots > 0 AND w.state = 'open'
          AND NOT EXISTS (SELECT FROM assignments a
                           WHERE a.team_id = v_team AND a.comparison_id = w.comparison_id
                             AND a.judge_id = p_judge AND a.state IN ('leased', 'done', 'skipped'))
        LIMIT 1;
      IF FOUND THEN
        v_cursor.seen_added := NULL;
        RETURN QUERY SELECT NULL::uuid, 'none_left', 1;
      ELSE
        v_cursor.seen_added := v_work.added;
        v_cursor.seen_returned := v_work.returned;
        RETURN QUERY SELECT NULL::uuid, 'none_left', 30;
      END IF;
      EXIT;
    END IF;

    -- A released or expired lease of the judge's own is taken up again: same row, next lease_no.
    INSERT INTO assignments AS a (team_id, project_id, comparison_id, judge_id, state, lease_until, holds_slot)
    VALUES (v_team, p_project, v_item.comparison_id, p_judge, 'leased',
            clock_timestamp() + make_interval(mins => v_project.lease_minutes), true)
    ON CONFLICT ON CONSTRAINT assignments_one_per_judge DO UPDATE
      SET state = 'leased', lease_no = a.lease_no + 1, leased_at = clock_timestamp(),
          lease_until = EXCLUDED.lease_until, holds_slot = true
    RETURNING a.id, a.lease_no INTO v_lease;
    UPDATE work_items SET open_slots = open_slots - 1
     WHERE team_id = v_team AND comparison_id = v_item.comparison_id;
    -- The kernel's randomness decides the sides.
    INSERT INTO impressions (team_id, assignment_id, lease_no, side_order)
    VALUES (v_team, v_lease.id, v_lease.lease_no,
            CASE get_byte(uuid_send(gen_random_uuid()), 15) & 1 WHEN 0 THEN '{0,1}' ELSE '{1,0}' END::smallint[]);
    v_held := v_held + 1;
    v_given := v_given + 1;
    RETURN QUERY SELECT v_lease.id, NULL::text, 0;
  END LOOP;

  UPDATE queue_cursors
     SET returned_key = v_cursor.returned_key, new_key = v_cursor.new_key,
         seen_added = v_cursor.seen_added, seen_returned = v_cursor.seen_returned
   WHERE team_id = v_team AND judge_id = p_judge AND project_id = p_project;
END $$;

CREATE FUNCTION release_assignment(p_judge uuid, p_assignment uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_team uuid := current_team();
  v      assignments%ROWTYPE;
BEGIN
  SELECT * INTO v FROM assignments WHERE team_id = v_team AND id = p_assignment AND judge_id = p_judge;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no such assignment' USING ERRCODE = 'HN404';
  END IF;
  PERFORM FROM work_items WHERE team_id = v_team AND comparison_id = v.comparison_id FOR UPDATE;
  PERFORM FROM assignments WHERE team_id = v_team AND id = p_assignment AND state = 'leased' FOR UPDATE;
  IF FOUND AND give_back(v_team, p_assignment, 'released') THEN
    PERFORM note_work(v_team, v.project_id, false);
  END IF;
END $$;

-- Takes a slot for an assignment that lost its own, when one is open. The caller holds both locks.
CREATE FUNCTION take_slot(p_team uuid, p_assignment uuid, p_comparison uuid) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  UPDATE work_items SET open_slots = open_slots - 1
   WHERE team_id = p_team AND comparison_id = p_comparison AND open_slots > 0;
  RETURN FOUND;
END $$;

-- An answer. outcome: now, resend, key_reused. storage/repo/judgments.h has the promises.
CREATE FUNCTION record_judgment(p_judge uuid, p_assignment uuid, p_impression uuid, p_key text,
                                p_body_sha256 text, p_verdict text, p_pressed integer, p_skip_reason text,
                                p_shown_ms bigint, p_first_input_ms bigint, p_active_ms bigint,
                                p_away_ms bigint,
                                OUT outcome text, OUT judgment_id uuid, OUT seq bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  v_team uuid := current_team();
  v      assignments%ROWTYPE;
  v_left smallint;
  v_hold boolean;
  v_first record;
BEGIN
  SELECT * INTO v FROM assignments WHERE team_id = v_team AND id = p_assignment AND judge_id = p_judge;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no such assignment' USING ERRCODE = 'HN404';
  END IF;
  SELECT left_slot INTO v_left FROM impressions
   WHERE team_id = v_team AND id = p_impression AND assignment_id = p_assignment;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'this assignment was not shown that way' USING ERRCODE = 'HN404';
  END IF;
  PERFORM FROM work_items WHERE team_id = v_team AND comparison_id = v.comparison_id FOR UPDATE;
  SELECT * INTO v FROM assignments WHERE team_id = v_team AND id = p_assignment FOR UPDATE;

  -- Looked up under the assignment's lock: of two copies of one request, the second waits here and
  -- then sees the first. (The unique key stands behind it.)
  SELECT id, seq, body_sha256 INTO v_first FROM judgments
   WHERE team_id = v_team AND judge_id = p_judge AND submit_key = p_key;
  IF FOUND THEN
    outcome := CASE WHEN v_first.body_sha256 = p_body_sha256 THEN 'resend' ELSE 'key_reused' END;
    judgment_id := v_first.id;
    seq := v_first.seq;
    RETURN;
  END IF;

  v_hold := v.holds_slot;
  IF p_verdict = 'skip' THEN
    IF give_back(v_team, p_assignment, 'skipped') THEN
      PERFORM note_work(v_team, v.project_id, false);
    END IF;
  ELSE
    IF NOT v_hold THEN  -- late: the slot may still be there
      v_hold := take_slot(v_team, p_assignment, v.comparison_id);
    END IF;
    UPDATE assignments SET state = 'done', holds_slot = v_hold WHERE team_id = v_team AND id = p_assignment;
  END IF;

  SELECT coalesce(max(j.seq), 0) + 1 INTO seq FROM judgments j
   WHERE j.team_id = v_team AND j.comparison_id = v.comparison_id AND j.judge_id = p_judge;
  INSERT INTO judgments (team_id, project_id, comparison_id, judge_id, judge_kind, seq, assignment_id,
                         impression_id, left_slot, submit_key, body_sha256, verdict, pressed, strength,
                         skip_reason, shown_ms, first_input_ms, active_ms, away_ms, surplus)
  VALUES (v_team, v.project_id, v.comparison_id, p_judge, 'person', seq, p_assignment, p_impression,
          v_left, p_key, p_body_sha256, p_verdict, p_pressed,
          CASE WHEN v_left = 0 THEN p_pressed ELSE -p_pressed END, p_skip_reason, p_shown_ms,
          p_first_input_ms, p_active_ms, p_away_ms, p_verdict <> 'skip' AND NOT v_hold)
  RETURNING id INTO judgment_id;
  outcome := 'now';
END $$;

-- Undo: `retracted` is appended, the assignment opens again and shows the same sides.
CREATE FUNCTION retract_judgment(p_judge uuid, p_judgment uuid, p_key text, p_body_sha256 text,
                                 OUT outcome text, OUT assignment_id uuid)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  v_team   uuid := current_team();
  v        judgments%ROWTYPE;
  v_own    assignments%ROWTYPE;
  v_first  record;
  v_head   integer;
  v_hold   boolean;
  v_shown  impressions%ROWTYPE;
  v_minutes integer;
BEGIN
  SELECT * INTO v FROM judgments
   WHERE team_id = v_team AND id = p_judgment AND judge_id = p_judge AND judge_kind = 'person';
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no such judgment' USING ERRCODE = 'HN404';
  END IF;
  assignment_id := v.assignment_id;
  PERFORM FROM work_items WHERE team_id = v_team AND comparison_id = v.comparison_id FOR UPDATE;
  SELECT * INTO v_own FROM assignments WHERE team_id = v_team AND id = v.assignment_id FOR UPDATE;

  SELECT id, body_sha256 INTO v_first FROM judgments
   WHERE team_id = v_team AND judge_id = p_judge AND submit_key = p_key;
  IF FOUND THEN
    outcome := CASE WHEN v_first.body_sha256 = p_body_sha256 THEN 'resend' ELSE 'key_reused' END;
    RETURN;
  END IF;

  SELECT max(seq) INTO v_head FROM judgments
   WHERE team_id = v_team AND comparison_id = v.comparison_id AND judge_id = p_judge;
  IF v_head <> v.seq OR v.verdict = 'retracted' THEN
    RAISE EXCEPTION 'this answer is not the latest one any more' USING ERRCODE = 'HN409';
  END IF;

  INSERT INTO judgments (team_id, project_id, comparison_id, judge_id, judge_kind, seq, assignment_id,
                         impression_id, left_slot, submit_key, body_sha256, verdict)
  VALUES (v_team, v.project_id, v.comparison_id, p_judge, 'person', v.seq + 1, v.assignment_id,
          v.impression_id, v.left_slot, p_key, p_body_sha256, 'retracted');

  -- An answer keeps the slot it had; a skip gave its slot away and gets one when one is open.
  v_hold := v_own.holds_slot OR take_slot(v_team, v_own.id, v.comparison_id);
  SELECT lease_minutes INTO v_minutes FROM projects WHERE team_id = v_team AND id = v.project_id;
  UPDATE assignments SET state = 'leased', lease_no = lease_no + 1, holds_slot = v_hold,
         leased_at = clock_timestamp(), lease_until = clock_timestamp() + make_interval(mins => v_minutes)
   WHERE team_id = v_team AND id = v_own.id RETURNING lease_no INTO v_own.lease_no;
  SELECT * INTO v_shown FROM impressions WHERE team_id = v_team AND id = v.impression_id;
  INSERT INTO impressions (team_id, assignment_id, lease_no, side_order)
  VALUES (v_team, v_own.id, v_own.lease_no, v_shown.side_order);
  outcome := 'now';
END $$;

-- A project's overlap changed: more slots for every item, or fewer down to those that are held.
CREATE FUNCTION set_overlap(p_project uuid, p_overlap integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_team uuid := current_team();
BEGIN
  UPDATE work_items
     SET target = greatest(p_overlap, target - open_slots),
         open_slots = greatest(p_overlap, target - open_slots) - (target - open_slots)
   WHERE team_id = v_team AND project_id = p_project AND target <> p_overlap;
  PERFORM note_work(v_team, p_project, true);
END $$;

GRANT EXECUTE ON FUNCTION
  note_work(uuid, uuid, boolean), make_comparisons(uuid, uuid, uuid[], uuid[], uuid[], boolean[]),
  import_rows(uuid, uuid, uuid, jsonb), give_back(uuid, uuid, text), expire_leases(uuid, uuid, integer),
  expire_all_leases(integer), pick_item(uuid, uuid, uuid, smallint, bigint),
  hand_out(uuid, uuid, integer, uuid[]), release_assignment(uuid, uuid), take_slot(uuid, uuid, uuid),
  record_judgment(uuid, uuid, uuid, text, text, text, integer, text, bigint, bigint, bigint, bigint),
  retract_judgment(uuid, uuid, text, text), set_overlap(uuid, integer)
  TO hone_app;
