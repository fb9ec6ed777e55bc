-- 0008: what a worker may do (EXECUTE for hone_worker, which touches no table), and what a server
-- does about workers. Every write is conditional on (job, epoch, token) in the statement that locks the
-- job's row: a late writer changes nothing and is told so by `false` or NULL.

CREATE FUNCTION sha256_text(t text) RETURNS text LANGUAGE sql IMMUTABLE STRICT
SET search_path = pg_catalog AS $$ SELECT encode(sha256(convert_to(t, 'UTF8')), 'hex') $$;

-- The object, or an empty one: `||` would make an array of anything else.
CREATE FUNCTION as_object(j jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE
AS $$ SELECT CASE WHEN jsonb_typeof(j) = 'object' THEN j ELSE '{}'::jsonb END $$;

-- The job under this lease, locked; no row when the lease is over. Sets the team for what follows.
CREATE FUNCTION lock_lease(p_job uuid, p_epoch bigint, p_token text) RETURNS SETOF jobs
LANGUAGE plpgsql AS $$
DECLARE
  v_job jobs;
BEGIN
  SELECT * INTO v_job FROM jobs
   WHERE id = p_job AND lease_epoch = p_epoch AND lease_token_sha256 = sha256_text(p_token)
     AND state IN ('leased', 'running', 'pausing', 'publishing', 'cancelling')
     FOR UPDATE;
  IF FOUND THEN
    PERFORM set_config('app.team', v_job.team_id::text, true);
    RETURN NEXT v_job;
  END IF;
END $$;

-- The same for reading: no lock, and an error (HN001) instead of nothing.
CREATE FUNCTION held_lease(p_job uuid, p_epoch bigint, p_token text) RETURNS jobs
LANGUAGE plpgsql AS $$
DECLARE
  v_job jobs;
BEGIN
  SELECT * INTO v_job FROM jobs
   WHERE id = p_job AND lease_epoch = p_epoch AND lease_token_sha256 = sha256_text(p_token)
     AND state IN ('leased', 'running', 'pausing', 'publishing', 'cancelling');
  IF NOT FOUND THEN
    RAISE EXCEPTION 'stale lease' USING ERRCODE = 'HN001';
  END IF;
  PERFORM set_config('app.team', v_job.team_id::text, true);
  RETURN v_job;
END $$;

-- Order of dispatch: the team with the fewest held jobs, then priority, then age. One claim at a
-- time in the whole instance (they are rare), so that two cannot count the same job.
CREATE FUNCTION claim_job(p_worker text, p_gpu_class text, p_version text, p_kinds text[], p_lease_ms bigint,
                          p_only uuid)
RETURNS TABLE (job_id uuid, team_id uuid, project_id uuid, kind text, spec jsonb, epoch bigint,
               token text, gpu_class text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_job   jobs;
  v_token text := replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
BEGIN
  INSERT INTO workers (name, gpu_class, version) VALUES (p_worker, p_gpu_class, p_version)
  ON CONFLICT (name) DO UPDATE SET last_seen_at = clock_timestamp(), gpu_class = EXCLUDED.gpu_class,
                                   version = EXCLUDED.version;
  -- Without a candidate no lock is taken: idle workers poll.
  PERFORM FROM jobs j WHERE j.state = 'queued' AND j.gpu_class = p_gpu_class AND j.kind = ANY (p_kinds)
      AND j.run_after <= clock_timestamp() AND (p_only IS NULL OR j.id = p_only) LIMIT 1;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('hone.claim', 0));

  SELECT j.* INTO v_job FROM jobs j
   WHERE j.state = 'queued' AND j.gpu_class = p_gpu_class AND j.kind = ANY (p_kinds)
     AND j.run_after <= clock_timestamp() AND (p_only IS NULL OR j.id = p_only)
   ORDER BY (SELECT count(*) FROM jobs h WHERE h.team_id = j.team_id AND h.gpu_class = j.gpu_class
                AND h.state IN ('leased', 'running', 'pausing', 'publishing', 'cancelling')),
            j.priority DESC, j.created_at, j.id
   LIMIT 1 FOR UPDATE OF j SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN;
  END IF;

  UPDATE jobs SET state = 'leased', lease_epoch = lease_epoch + 1, lease_owner = p_worker,
         lease_token_sha256 = sha256_text(v_token), heartbeat_no = 0,
         lease_until = clock_timestamp() + make_interval(secs => p_lease_ms / 1000.0),
         started_at = coalesce(started_at, clock_timestamp())
   WHERE id = v_job.id RETURNING * INTO v_job;
  INSERT INTO job_attempts (team_id, job_id, epoch, worker)
  VALUES (v_job.team_id, v_job.id, v_job.lease_epoch, p_worker);
  PERFORM append_event(v_job.id, 'claimed', 'info', 'taken by ' || p_worker,
                       jsonb_build_object('worker', p_worker, 'epoch', v_job.lease_epoch));
  RETURN QUERY SELECT v_job.id, v_job.team_id, v_job.project_id, v_job.kind, v_job.spec, v_job.lease_epoch,
                      v_token, v_job.gpu_class;
END $$;

CREATE FUNCTION renew_lease(p_job uuid, p_epoch bigint, p_token text, p_lease_ms bigint)
RETURNS TABLE (cancel boolean, pause boolean)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  UPDATE workers SET last_seen_at = clock_timestamp()
   WHERE name = (SELECT lease_owner FROM jobs WHERE id = p_job AND lease_epoch = p_epoch);
  UPDATE jobs SET heartbeat_no = heartbeat_no + 1,
         lease_until = clock_timestamp() + make_interval(secs => p_lease_ms / 1000.0)
   WHERE id = p_job AND lease_epoch = p_epoch AND lease_token_sha256 = sha256_text(p_token)
     AND state IN ('leased', 'running', 'pausing', 'publishing', 'cancelling')
  RETURNING state = 'cancelling', pause_requested_at IS NOT NULL
$$;

CREATE FUNCTION advance_job(p_job uuid, p_epoch bigint, p_token text, p_state text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_job jobs;
BEGIN
  IF p_state NOT IN ('running', 'publishing') THEN
    RAISE EXCEPTION 'a worker advances a job to running or publishing' USING ERRCODE = 'HN409';
  END IF;
  SELECT * INTO v_job FROM lock_lease(p_job, p_epoch, p_token);
  IF NOT FOUND OR v_job.state = 'cancelling' THEN
    RETURN false;
  END IF;
  IF v_job.state <> p_state THEN
    UPDATE jobs SET state = p_state WHERE id = p_job;
    PERFORM append_event(p_job, CASE p_state WHEN 'running' THEN 'started' ELSE 'publishing' END);
  END IF;
  RETURN true;
END $$;

CREATE FUNCTION record_event(p_job uuid, p_epoch bigint, p_token text, p_type text, p_level text,
                             p_message text, p_data jsonb) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  PERFORM FROM lock_lease(p_job, p_epoch, p_token);
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  IF p_type NOT IN ('progress', 'metrics', 'evaluation', 'checkpoint_saved', 'resumed', 'warning', 'message') THEN
    RAISE EXCEPTION 'an event of type % is written by its own function', p_type USING ERRCODE = 'HN409';
  END IF;
  IF p_type = 'progress' THEN
    UPDATE jobs SET progress = coalesce(progress, '{}') || as_object(p_data) WHERE id = p_job;
  ELSIF p_type = 'metrics' THEN
    UPDATE jobs SET metrics = coalesce(metrics, '{}') || as_object(p_data->'values'),
           progress = coalesce(progress, '{}') || jsonb_strip_nulls(jsonb_build_object(
             'step', p_data->'step', 'total_steps', p_data->'total_steps', 'eta_s', p_data->'eta_s')),
           last_step = coalesce((p_data->>'step')::bigint, last_step)
     WHERE id = p_job;
  END IF;
  PERFORM append_event(p_job, p_type, p_level, p_message, p_data);
  RETURN true;
END $$;

CREATE FUNCTION adopt_checkpoint(p_job uuid, p_epoch bigint, p_token text, p_step bigint, p_path text,
                                 p_manifest_sha256 text, p_bytes bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_job jobs;
BEGIN
  SELECT * INTO v_job FROM lock_lease(p_job, p_epoch, p_token);
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  INSERT INTO checkpoints (team_id, job_id, step, epoch, path, manifest_sha256, bytes)
  VALUES (v_job.team_id, p_job, p_step, p_epoch, p_path, p_manifest_sha256, p_bytes)
  ON CONFLICT DO NOTHING;
  IF FOUND THEN
    PERFORM append_event(p_job, 'checkpoint_adopted', 'info', '',
      jsonb_build_object('step', p_step, 'epoch', p_epoch, 'bytes', p_bytes, 'path', p_path));
  END IF;
  RETURN true;
END $$;

CREATE FUNCTION newest_checkpoints(p_job uuid, p_epoch bigint, p_token text, p_n integer)
RETURNS TABLE (step bigint, epoch bigint, path text, manifest_sha256 text, bytes bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_job jobs := held_lease(p_job, p_epoch, p_token);
BEGIN
  RETURN QUERY SELECT c.step, c.epoch, c.path, c.manifest_sha256, c.bytes FROM checkpoints c
    WHERE c.team_id = v_job.team_id AND c.job_id = p_job AND c.kind = 'resume'
    ORDER BY c.step DESC, c.epoch DESC LIMIT p_n;
END $$;

-- The one place that ends a job. A job told to cancel ends cancelled: the move to cancelling decided it.
CREATE FUNCTION end_job(p_job jobs, p_state text, p_result jsonb, p_error jsonb, p_blame text,
                        p_signature text, p_last_step bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  v_state text := CASE WHEN p_job.state = 'cancelling' THEN 'cancelled' ELSE p_state END;
BEGIN
  -- A job that ends well straight from `leased` ran: say so first, the moves know no shortcut.
  IF v_state = 'succeeded' AND p_job.state = 'leased' THEN
    UPDATE jobs SET state = 'running' WHERE id = p_job.id;
    PERFORM append_event(p_job.id, 'started');
  ELSIF v_state = 'cancelled' AND p_job.state <> 'cancelling' THEN
    UPDATE jobs SET state = 'cancelling' WHERE id = p_job.id;
    PERFORM append_event(p_job.id, 'cancelling');
  END IF;
  UPDATE jobs SET state = v_state, finished_at = clock_timestamp(),
         result = CASE WHEN v_state = 'succeeded' THEN coalesce(p_result, result) ELSE result END,
         error = CASE WHEN v_state IN ('failed', 'dead') THEN p_error END,
         last_step = greatest(last_step, coalesce(p_last_step, 0)), lease_until = NULL
   WHERE id = p_job.id;
  UPDATE job_attempts SET ended_at = clock_timestamp(), outcome = v_state, blame = nullif(p_blame, ''),
         exit_signature = p_signature, last_step = greatest(p_job.last_step, coalesce(p_last_step, 0))
   WHERE team_id = p_job.team_id AND job_id = p_job.id AND epoch = p_job.lease_epoch;
  PERFORM append_event(p_job.id, v_state, CASE WHEN v_state IN ('failed', 'dead') THEN 'error' ELSE 'info' END,
    coalesce(CASE WHEN v_state IN ('failed', 'dead') THEN p_error->>'detail' END, ''),
    CASE WHEN v_state = 'succeeded' THEN p_result WHEN v_state = 'cancelled' THEN NULL ELSE p_error END);
  RETURN v_state;
END $$;

CREATE FUNCTION finish_job(p_job uuid, p_epoch bigint, p_token text, p_state text, p_result jsonb,
                           p_error jsonb, p_blame text, p_last_step bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_job jobs;
BEGIN
  IF p_state NOT IN ('succeeded', 'failed', 'cancelled', 'dead') THEN
    RAISE EXCEPTION '% is not an end', p_state USING ERRCODE = 'HN409';
  END IF;
  SELECT * INTO v_job FROM lock_lease(p_job, p_epoch, p_token);
  IF NOT FOUND THEN
    -- The same lease may have ended it already (a resend after an unknown outcome).
    PERFORM FROM jobs WHERE id = p_job AND lease_epoch = p_epoch
        AND lease_token_sha256 = sha256_text(p_token)
        AND state IN ('succeeded', 'failed', 'cancelled', 'dead');
    RETURN FOUND;
  END IF;
  PERFORM end_job(v_job, p_state, p_result, p_error, p_blame, NULL, p_last_step);
  RETURN true;
END $$;

-- An attempt ended without an end for the job: again after a back-off, or the end when a budget is spent.
--   infra    10 retries: the first at once, then min(15 s * 2^n, 15 min), each +-25 %
--   bug      1 retry; user: none; drained (the worker was told to leave): not counted
--   poison   3 infra attempts that end at one step with one signature: dead
CREATE FUNCTION retry_job(p_job jobs, p_blame text, p_code text, p_detail text, p_signature text,
                          p_last_step bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  v_error jsonb := jsonb_build_object('code', p_code, 'detail', p_detail, 'blame', p_blame,
                                      'step', p_last_step);
  v_step  bigint := greatest(p_job.last_step, coalesce(p_last_step, 0));
  v_infra integer := p_job.attempts_infra + (p_blame = 'infra')::int;
  v_bug   integer := p_job.attempts_bug + (p_blame = 'bug')::int;
  v_alike bigint;
  v_wait_s float8 := 0;
BEGIN
  IF p_job.state = 'cancelling' THEN
    RETURN end_job(p_job, 'cancelled', NULL, NULL, p_blame, p_signature, p_last_step);
  END IF;
  IF p_blame = 'user' THEN
    RETURN end_job(p_job, 'failed', NULL, v_error, p_blame, p_signature, p_last_step);
  END IF;
  SELECT count(*) INTO v_alike FROM job_attempts
   WHERE team_id = p_job.team_id AND job_id = p_job.id AND epoch < p_job.lease_epoch AND blame = 'infra'
     AND exit_signature = p_signature AND last_step = v_step;
  IF v_infra > 10 OR v_bug > 1 OR (p_blame = 'infra' AND p_signature <> '' AND v_alike >= 2) THEN
    IF v_alike >= 2 THEN
      v_error := v_error || jsonb_build_object('code', 'poison', 'detail',
        format('three attempts ended the same way at step %s: %s', v_step, p_detail));
    END IF;
    UPDATE jobs SET attempts_infra = v_infra, attempts_bug = v_bug WHERE id = p_job.id;
    RETURN end_job(p_job, 'dead', NULL, v_error, p_blame, p_signature, p_last_step);
  END IF;

  IF p_blame = 'infra' AND v_infra > 1 THEN
    v_wait_s := least(15 * 2 ^ (v_infra - 2), 900) * (0.75 + 0.5 * random());
  END IF;
  UPDATE jobs SET state = 'queued', attempts_infra = v_infra, attempts_bug = v_bug, last_step = v_step,
         run_after = clock_timestamp() + make_interval(secs => v_wait_s), nudged_at = clock_timestamp(),
         lease_until = NULL
   WHERE id = p_job.id;
  UPDATE job_attempts SET ended_at = clock_timestamp(), outcome = p_code, blame = p_blame,
         exit_signature = p_signature, last_step = v_step
   WHERE team_id = p_job.team_id AND job_id = p_job.id AND epoch = p_job.lease_epoch;
  PERFORM append_event(p_job.id, CASE p_code WHEN 'lease_lost' THEN 'lease_lost' ELSE 'retrying' END,
    'warning', p_detail, v_error || jsonb_build_object('retry_in_s', round(v_wait_s::numeric, 1)));
  PERFORM append_event(p_job.id, 'queued');
  IF v_wait_s = 0 THEN
    PERFORM wake_worker(p_job.id, p_job.gpu_class);
  END IF;
  RETURN 'queued';
END $$;

CREATE FUNCTION give_up_job(p_job uuid, p_epoch bigint, p_token text, p_blame text, p_code text,
                            p_detail text, p_signature text, p_last_step bigint) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_job jobs;
BEGIN
  SELECT * INTO v_job FROM lock_lease(p_job, p_epoch, p_token);
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  RETURN retry_job(v_job, p_blame, p_code, p_detail, p_signature, p_last_step);
END $$;

CREATE FUNCTION job_inputs(p_job uuid, p_epoch bigint, p_token text)
RETURNS TABLE (project_slug text, project_name text, base_id uuid, base_name text, base_description text,
               base_architecture text, base_format text, base_sha256 text, base_bytes bigint,
               snapshot_id uuid, snapshot_number integer, snapshot_name text, snapshot_root text,
               snapshot_artifact text, snapshot_rows jsonb, critic_id uuid, critic_name text,
               critic_version integer, critic_spec jsonb, critic_spec_sha256 text, model text,
               prompts bigint, comparisons bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_job    jobs := held_lease(p_job, p_epoch, p_token);
  v_critic uuid := nullif(coalesce(v_job.spec->>'critic', v_job.spec->'evaluation'->>'critic'), '')::uuid;
BEGIN
  RETURN QUERY
    SELECT p.slug, p.name, b.id, b.name, b.description, b.architecture, b.format, b.sha256, b.bytes,
           s.id, s.number, s.name, s.root, s.artifact_sha256, s.rows, cv.id, c.name, cv.version, cv.spec,
           cv.spec_sha256, m.name,
           CASE WHEN v_job.kind IN ('sample', 'train') THEN
             (SELECT count(*) FROM prompts q WHERE q.team_id = v_job.team_id AND q.project_id = v_job.project_id
                 AND (coalesce(CASE v_job.kind WHEN 'train' THEN 'held_out' ELSE v_job.spec->>'split' END, 'train')
                      IN (q.split, 'all')))
             ELSE 0 END,
           CASE WHEN v_job.kind = 'judge' THEN
             (SELECT count(*) FROM comparisons q WHERE q.team_id = v_job.team_id AND q.project_id = v_job.project_id
                 AND NOT EXISTS (SELECT FROM judgments j JOIN judges w ON w.team_id = j.team_id AND w.id = j.judge_id
                                  WHERE j.team_id = q.team_id AND j.comparison_id = q.id
                                    AND w.critic_version_id = v_critic))
             ELSE 0 END
      FROM projects p
      LEFT JOIN bases b ON b.id = nullif(v_job.spec->>'base', '')::uuid
      LEFT JOIN snapshots s ON s.team_id = p.team_id AND s.id = nullif(v_job.spec->>'snapshot', '')::uuid
      LEFT JOIN critic_versions cv ON cv.team_id = p.team_id AND cv.id = v_critic
      LEFT JOIN critics c ON c.team_id = cv.team_id AND c.id = cv.critic_id
      LEFT JOIN runs r ON r.team_id = p.team_id AND r.job_id = p_job
      LEFT JOIN models m ON m.team_id = r.team_id AND m.id = r.model_id
     WHERE p.team_id = v_job.team_id AND p.id = v_job.project_id;
END $$;

CREATE FUNCTION job_prompts(p_job uuid, p_epoch bigint, p_token text, p_after uuid, p_n integer)
RETURNS TABLE (prompt_id uuid, messages jsonb, split text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_job   jobs := held_lease(p_job, p_epoch, p_token);
  v_split text := CASE v_job.kind WHEN 'train' THEN 'held_out' ELSE coalesce(v_job.spec->>'split', 'train') END;
  v_each  bigint := coalesce((v_job.spec->>'responses_per_prompt')::bigint, 2);
BEGIN
  RETURN QUERY SELECT p.id, p.messages, p.split FROM prompts p
    WHERE p.team_id = v_job.team_id AND p.project_id = v_job.project_id AND v_split IN (p.split, 'all')
      AND (p_after IS NULL OR p.id > p_after)
      AND (v_job.kind <> 'sample' OR
           (SELECT count(*) FROM response_sources s WHERE s.team_id = p.team_id AND s.job_id = p_job
               AND s.prompt_id = p.id) < v_each)
    ORDER BY p.id LIMIT least(p_n, 1000);
END $$;

-- Responses of a sample job. A prompt that has all of its own becomes comparisons of every pair of
-- distinct texts.
CREATE FUNCTION record_responses(p_job uuid, p_epoch bigint, p_token text, p_rows jsonb,
                                 OUT stale boolean, OUT responses bigint, OUT comparisons bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_job  jobs;
  v_each bigint;
BEGIN
  responses := 0;
  comparisons := 0;
  SELECT * INTO v_job FROM lock_lease(p_job, p_epoch, p_token);
  stale := NOT FOUND;
  IF stale THEN
    RETURN;
  END IF;
  IF v_job.kind <> 'sample' THEN
    RAISE EXCEPTION 'only a sample job has responses' USING ERRCODE = 'HN409';
  END IF;
  v_each := coalesce((v_job.spec->>'responses_per_prompt')::bigint, 2);

  WITH given AS (
    SELECT DISTINCT ON (p.id, sha) p.id AS prompt_id, e.r->'messages' AS messages, messages_sha256(e.r->'messages') AS sha
      FROM jsonb_array_elements(p_rows) AS e (r)
      JOIN prompts p ON p.team_id = v_job.team_id AND p.project_id = v_job.project_id
       AND p.id = (e.r->>'prompt_id')::uuid
     ORDER BY p.id, sha
  ), added AS (
    INSERT INTO responses (team_id, project_id, prompt_id, messages)
    SELECT v_job.team_id, v_job.project_id, prompt_id, messages FROM given
    ON CONFLICT ON CONSTRAINT responses_one_content DO NOTHING
    RETURNING 1
  )
  SELECT count(*) INTO responses FROM added;

  INSERT INTO response_sources (team_id, response_id, prompt_id, base_id, job_id, sample_index, sampling)
  SELECT v_job.team_id, r.id, r.prompt_id, nullif(v_job.spec->>'base', '')::uuid, p_job,
         (e.r->>'index')::int, e.r->'sampling'
    FROM jsonb_array_elements(p_rows) AS e (r)
    JOIN responses r ON r.team_id = v_job.team_id AND r.prompt_id = (e.r->>'prompt_id')::uuid
     AND r.content_sha256 = messages_sha256(e.r->'messages') AND r.project_id = v_job.project_id
  ON CONFLICT ON CONSTRAINT response_sources_one_per_sample DO NOTHING;

  WITH whole AS (  -- the prompts of these rows that now have all
    SELECT s.prompt_id FROM response_sources s
     WHERE s.team_id = v_job.team_id AND s.job_id = p_job
       AND s.prompt_id IN (SELECT (e.r->>'prompt_id')::uuid FROM jsonb_array_elements(p_rows) AS e (r))
     GROUP BY s.prompt_id HAVING count(*) >= v_each
  ), texts AS (
    SELECT DISTINCT s.prompt_id, s.response_id FROM response_sources s JOIN whole USING (prompt_id)
     WHERE s.team_id = v_job.team_id AND s.job_id = p_job
  ), pairs AS (
    SELECT array_agg(a.prompt_id) AS p, array_agg(a.response_id) AS r0, array_agg(b.response_id) AS r1,
           array_agg(true) AS ask
      FROM texts a JOIN texts b ON b.prompt_id = a.prompt_id AND b.response_id > a.response_id
  )
  SELECT count(*) INTO comparisons
    FROM pairs, LATERAL make_comparisons(v_job.team_id, v_job.project_id, pairs.p, pairs.r0, pairs.r1, pairs.ask)
   WHERE pairs.p IS NOT NULL;
  IF comparisons > 0 THEN
    PERFORM note_work(v_job.team_id, v_job.project_id, true);
  END IF;
END $$;

CREATE FUNCTION job_comparisons(p_job uuid, p_epoch bigint, p_token text, p_after uuid, p_n integer)
RETURNS TABLE (comparison_id uuid, prompt jsonb, slot0 jsonb, slot1 jsonb)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_job   jobs := held_lease(p_job, p_epoch, p_token);
  v_judge uuid;
BEGIN
  SELECT w.id INTO v_judge FROM judges w
   WHERE w.team_id = v_job.team_id AND w.critic_version_id = (v_job.spec->>'critic')::uuid;
  RETURN QUERY
    SELECT c.id, p.messages, r0.messages, r1.messages
      FROM comparisons c
      JOIN prompts p ON p.team_id = c.team_id AND p.id = c.prompt_id
      JOIN comparison_responses s0 ON s0.team_id = c.team_id AND s0.comparison_id = c.id AND s0.slot = 0
      JOIN comparison_responses s1 ON s1.team_id = c.team_id AND s1.comparison_id = c.id AND s1.slot = 1
      JOIN responses r0 ON r0.team_id = c.team_id AND r0.id = s0.response_id
      JOIN responses r1 ON r1.team_id = c.team_id AND r1.id = s1.response_id
     WHERE c.team_id = v_job.team_id AND c.project_id = v_job.project_id AND c.k = 2
       AND (p_after IS NULL OR c.id > p_after)
       AND NOT EXISTS (SELECT FROM judgments j WHERE j.team_id = c.team_id AND j.comparison_id = c.id
                          AND j.judge_id = v_judge)
     ORDER BY c.id LIMIT least(p_n, 1000);
END $$;

CREATE FUNCTION record_critic_judgments(p_job uuid, p_epoch bigint, p_token text, p_rows jsonb,
                                        OUT stale boolean, OUT added bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_job   jobs;
  v_judge judges;
BEGIN
  added := 0;
  SELECT * INTO v_job FROM lock_lease(p_job, p_epoch, p_token);
  stale := NOT FOUND;
  IF stale THEN
    RETURN;
  END IF;
  SELECT w.* INTO v_judge FROM judges w
   WHERE w.team_id = v_job.team_id AND w.critic_version_id = (v_job.spec->>'critic')::uuid;
  IF NOT FOUND OR v_job.kind <> 'judge' THEN
    RAISE EXCEPTION 'this job judges nothing' USING ERRCODE = 'HN409';
  END IF;
  WITH kept AS (
    INSERT INTO judgments (team_id, project_id, comparison_id, judge_id, judge_kind, seq, submit_key,
                           body_sha256, verdict, strength, detail)
    SELECT v_job.team_id, v_job.project_id, c.id, v_judge.id, v_judge.kind, 1, 'critic:' || c.id,
           sha256_text((e.r->>'verdict') || ':' || coalesce(e.r->>'strength', '')),
           e.r->>'verdict', (e.r->>'strength')::smallint, e.r->'detail'
      FROM jsonb_array_elements(p_rows) AS e (r)
      JOIN comparisons c ON c.team_id = v_job.team_id AND c.project_id = v_job.project_id
       AND c.id = (e.r->>'comparison_id')::uuid
    ON CONFLICT DO NOTHING
    RETURNING 1
  )
  SELECT count(*) INTO added FROM kept;
END $$;

-- The last act of a train job, whole or not at all. Again by the same job: the same version.
CREATE FUNCTION publish_version(p_job uuid, p_epoch bigint, p_token text, p_code_revision text,
                                p_manifest_sha256 text, p_spec jsonb, p_metrics jsonb, p_evaluation jsonb,
                                p_files jsonb, p_result jsonb,
                                OUT stale boolean, OUT model text, OUT version integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_job     jobs;
  v_run     runs;
  v_version versions;
BEGIN
  SELECT * INTO v_job FROM jobs WHERE id = p_job AND lease_epoch = p_epoch
     AND lease_token_sha256 = sha256_text(p_token) AND kind = 'train' FOR UPDATE;
  stale := NOT FOUND;
  IF stale THEN
    RETURN;
  END IF;
  SELECT * INTO v_run FROM runs WHERE team_id = v_job.team_id AND job_id = p_job;
  SELECT m.name INTO model FROM models m WHERE m.team_id = v_run.team_id AND m.id = v_run.model_id;
  SELECT * INTO v_version FROM versions WHERE team_id = v_job.team_id AND job_id = p_job;
  IF FOUND THEN
    version := v_version.number;
    RETURN;
  END IF;
  stale := v_job.state NOT IN ('leased', 'running', 'publishing');
  IF stale THEN
    RETURN;
  END IF;

  IF v_job.state = 'leased' THEN
    UPDATE jobs SET state = 'running' WHERE id = p_job;
    PERFORM append_event(p_job, 'started');
    v_job.state := 'running';
  END IF;
  IF v_job.state = 'running' THEN
    UPDATE jobs SET state = 'publishing' WHERE id = p_job;
    PERFORM append_event(p_job, 'publishing');
    v_job.state := 'publishing';
  END IF;
  -- Two runs of one model publish one after the other.
  PERFORM FROM models m WHERE m.team_id = v_run.team_id AND m.id = v_run.model_id FOR UPDATE;
  INSERT INTO versions (team_id, model_id, number, job_id, epoch, base_id, snapshot_id, spec,
                        code_revision, manifest_sha256, metrics, evaluation)
  SELECT v_job.team_id, v_run.model_id, coalesce(max(x.number), 0) + 1, p_job, p_epoch, v_run.base_id,
         v_run.snapshot_id, p_spec, p_code_revision, p_manifest_sha256, p_metrics, p_evaluation
    FROM versions x WHERE x.team_id = v_job.team_id AND x.model_id = v_run.model_id
  RETURNING * INTO v_version;
  INSERT INTO version_files (team_id, version_id, path, sha256, bytes)
  SELECT v_job.team_id, v_version.id, f->>'path', f->>'sha256', (f->>'bytes')::bigint
    FROM jsonb_array_elements(p_files) AS e (f);
  version := v_version.number;
  PERFORM append_event(p_job, 'published', 'info', format('%s version %s', model, version),
                       jsonb_build_object('model', model, 'version', version));
  PERFORM end_job(v_job, 'succeeded',
    as_object(p_result) || jsonb_build_object('model', model, 'version', version, 'evaluation', p_evaluation),
    NULL, NULL, NULL, NULL);
END $$;

GRANT EXECUTE ON FUNCTION
  claim_job(text, text, text, text[], bigint, uuid), renew_lease(uuid, bigint, text, bigint),
  advance_job(uuid, bigint, text, text), record_event(uuid, bigint, text, text, text, text, jsonb),
  adopt_checkpoint(uuid, bigint, text, bigint, text, text, bigint),
  newest_checkpoints(uuid, bigint, text, integer),
  finish_job(uuid, bigint, text, text, jsonb, jsonb, text, bigint),
  give_up_job(uuid, bigint, text, text, text, text, text, bigint), job_inputs(uuid, bigint, text),
  job_prompts(uuid, bigint, text, uuid, integer), record_responses(uuid, bigint, text, jsonb),
  job_comparisons(uuid, bigint, text, uuid, integer), record_critic_judgments(uuid, bigint, text, jsonb),
  publish_version(uuid, bigint, text, text, text, jsonb, jsonb, jsonb, jsonb, jsonb)
  TO hone_worker;

-- The server's side, across teams. One reaper at a time.
CREATE FUNCTION list_heartbeats() RETURNS TABLE (job_id uuid, epoch bigint, heartbeat_no bigint, worker text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT id, lease_epoch, heartbeat_no, coalesce(lease_owner, '') FROM jobs
   WHERE state IN ('leased', 'running', 'pausing', 'publishing', 'cancelling')
$$;

CREATE FUNCTION reap_job(p_job uuid, p_epoch bigint, p_heartbeat_no bigint) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_job jobs;
BEGIN
  SELECT * INTO v_job FROM jobs
   WHERE id = p_job AND lease_epoch = p_epoch AND heartbeat_no = p_heartbeat_no
     AND state IN ('leased', 'running', 'pausing', 'publishing', 'cancelling') FOR UPDATE;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  -- The token dies with the lease, so that even this epoch's holder writes no more.
  UPDATE jobs SET lease_token_sha256 = sha256_text(gen_random_uuid()::text) WHERE id = p_job;
  RETURN retry_job(v_job, 'infra', 'lease_lost',
                   format('worker %s was not heard of any more', v_job.lease_owner), '', NULL);
END $$;

-- A wake-up for each job that could run and was not taken: its message was lost, or its back-off is over.
CREATE FUNCTION nudge_queued_jobs() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  due record;
  n   integer := 0;
BEGIN
  FOR due IN
    UPDATE jobs SET nudged_at = clock_timestamp()
     WHERE state = 'queued' AND run_after <= clock_timestamp()
       AND nudged_at < greatest(run_after, clock_timestamp() - interval '30 seconds')
    RETURNING id, gpu_class
  LOOP
    PERFORM wake_worker(due.id, due.gpu_class);
    n := n + 1;
  END LOOP;
  RETURN n;
END $$;

-- Why a queued job waits; NULL for any other. Counts across teams, tells only numbers.
CREATE FUNCTION job_waiting(p_job uuid) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_job   jobs;
  v_ahead bigint;
BEGIN
  SELECT * INTO v_job FROM jobs WHERE id = p_job AND team_id = current_team() AND state = 'queued';
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  IF v_job.run_after > clock_timestamp() THEN
    RETURN jsonb_build_object('reason', 'backoff', 'detail', 'tried again at ' || rfc3339(v_job.run_after),
                              'estimated_start', rfc3339(v_job.run_after));
  END IF;
  IF NOT EXISTS (SELECT FROM workers WHERE gpu_class = v_job.gpu_class
                    AND last_seen_at > clock_timestamp() - interval '30 seconds') THEN
    RETURN jsonb_build_object('reason', 'no_worker',
                              'detail', 'no worker of class ' || v_job.gpu_class || ' is running');
  END IF;
  SELECT count(*) INTO v_ahead FROM jobs
   WHERE gpu_class = v_job.gpu_class AND state = 'queued' AND id <> p_job
     AND (priority, v_job.created_at) >= (v_job.priority, created_at);
  RETURN jsonb_build_object('reason', 'capacity', 'jobs_ahead', v_ahead,
                            'detail', CASE v_ahead WHEN 0 THEN 'next when a worker is free'
                                      ELSE v_ahead || ' jobs are ahead' END);
END $$;

GRANT EXECUTE ON FUNCTION list_heartbeats(), reap_job(uuid, bigint, bigint), nudge_queued_jobs(),
                          job_waiting(uuid) TO hone_app;
