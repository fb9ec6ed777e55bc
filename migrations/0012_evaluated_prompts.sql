-- A run is measured on the held-out prompts that there were when it was started: prompts imported while it
-- waits or between its attempts no longer change what it is measured on. Replaces one function of
-- 0008_job_functions.sql, by one condition; locks nothing.
CREATE OR REPLACE FUNCTION job_prompts(p_job uuid, p_epoch bigint, p_token text, p_after uuid, p_n integer)
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
      AND (v_job.kind <> 'train' OR p.created_at <= v_job.created_at)
      AND (v_job.kind <> 'sample' OR
           (SELECT count(*) FROM response_sources s WHERE s.team_id = p.team_id AND s.job_id = p_job
               AND s.prompt_id = p.id) < v_each)
    ORDER BY p.id LIMIT least(p_n, 1000);
END $$;
