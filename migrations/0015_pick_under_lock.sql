-- 0015: an item is picked only when the judge may have it still, once its lock is held. A late answer that
-- committed between the statement's snapshot and its lock was not seen: the item was handed out again to the
-- judge who had just answered it, and one slot was taken twice. Locks no table in use.

CREATE OR REPLACE FUNCTION pick_item(p_team uuid, p_project uuid, p_judge uuid, p_lane smallint, p_after bigint,
                                     OUT comparison_id uuid, OUT sort_key bigint) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  v_after bigint := p_after;
BEGIN
  LOOP
    SELECT w.comparison_id, w.sort_key INTO comparison_id, sort_key FROM work_items w
     WHERE w.team_id = p_team AND w.project_id = p_project AND w.lane = p_lane AND w.sort_key > v_after
       AND w.open_slots > 0 AND w.state = 'open'
       AND NOT EXISTS (SELECT FROM assignments a
                        WHERE a.team_id = p_team AND a.comparison_id = w.comparison_id
                          AND a.judge_id = p_judge AND a.state IN ('leased', 'done', 'skipped'))
     ORDER BY w.sort_key LIMIT 1 FOR UPDATE OF w SKIP LOCKED;
    EXIT WHEN comparison_id IS NULL;
    -- A statement of its own sees what was committed before the lock; whatever changes an assignment
    -- holds that lock.
    PERFORM FROM assignments a
      WHERE a.team_id = p_team AND a.comparison_id = pick_item.comparison_id AND a.judge_id = p_judge
        AND a.state IN ('leased', 'done', 'skipped');
    EXIT WHEN NOT FOUND;
    v_after := sort_key;
  END LOOP;
END $$;
