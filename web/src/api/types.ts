// The JSON of /api/v1, as the page reads it. Times are RFC 3339 text, ids are UUID text.

export type Role = 'annotator' | 'reviewer' | 'engineer' | 'admin';
export const ROLES: Role[] = ['annotator', 'reviewer', 'engineer', 'admin'];

export interface List<T> {
  data: T[];
  has_more: boolean;
  next: string | null;
}

export interface Team {
  id: string;
  slug: string;
  name: string;
  role: Role;
}

export interface SessionInfo {
  user: {id: string; name: string; email: string; instance_admin: boolean};
  team: Team;
  teams: Team[];
  csrf: string;
}

export interface Person {
  id: string;
  name: string;
  email: string;
  role: Role;
  active: boolean;
  last_seen_at: string | null;
}

export interface Invitation {
  id: string;
  email: string | null;
  role: Role;
  link?: string;
  expires_at: string;
}

export interface Token {
  id: string;
  name: string;
  role: Role;
  token?: string;
  expires_at: string;
  created_at?: string;
  last_used_at?: string | null;
}

export interface Project {
  id: string;
  slug: string;
  name: string;
  guideline: string;
  guideline_version: number;
  settings: {overlap: number; held_out_share: number; lease_minutes: number; paused?: boolean};
  counts: {
    prompts: number;
    held_out_prompts: number;
    responses: number;
    comparisons: number;
    open: number;
    judgments: number;
    judgments_by_kind: Record<string, number>;
  };
  created_at: string;
}

export interface Progress {
  open: number;
  done: number;
  total: number;
  mine_today: number;
  mine_total: number;
  per_hour: number | null;
  eta_s: number | null;
}

export interface Message {
  role: string;
  content: string;
}

export interface ImportReport {
  id?: string;
  format: string;
  lines: number;
  rows: number;
  added: {prompts: number; responses: number; comparisons: number; judgments: number; answers?: number};
  duplicates: number;
  refused: number;
  warnings: LineError[];
  errors: LineError[];
}

export interface LineError {
  line?: number;
  pointer?: string;
  detail: string;
}

export interface Base {
  id: string;
  name: string;
  description: string;
  sha256: string;
  bytes: number;
  architecture: string;
  created_at: string;
}

export type RuleType =
  | 'max_words' | 'min_words' | 'max_chars' | 'min_chars' | 'max_sentences'
  | 'contains' | 'not_contains' | 'matches' | 'not_matches'
  | 'starts_with' | 'ends_with' | 'json' | 'script';

export interface Rule {
  type: RuleType;
  weight?: number;
  value?: number;
  text?: string;
  pattern?: string;
  ignore_case?: boolean;
  script?: string;
  min_share?: number;
}

export interface CriticSpec {
  rules: Rule[];
  delta?: number;
}

export interface Critic {
  id: string;
  name: string;
  version: number;
  spec: CriticSpec;
  spec_sha256: string;
  created_at: string;
}

export interface Snapshot {
  id: string;
  number: number;
  name: string | null;
  /** Judged answers, or prompts alone for methods that learn from a reward. */
  contents: 'judgments' | 'prompts';
  root: string;
  artifact_sha256: string;
  rows: {train: number; held_out: number; ties: number; both_bad: number; total: number};
  /** Prompts, and those of them with an answer that a verifier can compare with; null of an old snapshot. */
  answers?: {prompts: number; answered: number} | null;
  judges: Record<string, number>;
  statistics: {
    /** Between people; agreement_all counts critics and imports as judges too. */
    agreement?: Agreement | null;
    agreement_all?: Agreement | null;
    mean_strength?: number | null;
    slot0_share?: number | null;
    [name: string]: unknown;
  };
  aggregation?: Record<string, unknown>;
  created_at: string;
}

export interface Agreement {
  alpha: number | null;
  low?: number | null;
  high?: number | null;
  items: number;
  judges: number;
}

export type JobState =
  | 'created' | 'validating' | 'queued' | 'leased' | 'running' | 'pausing' | 'paused'
  | 'publishing' | 'cancelling' | 'cancelled' | 'succeeded' | 'failed' | 'dead';

export interface StageProgress {
  stage: string | null;
  done?: number | null;
  total?: number | null;
  eta_s?: number | null;
  step?: number | null;
  total_steps?: number | null;
}

export interface JobError {
  code?: string;
  detail: string;
  blame?: string;
}

export interface Job {
  id: string;
  kind: string;
  project: string | null;
  state: JobState;
  progress: StageProgress | null;
  waiting: {reason: string; detail: string} | null;
  error: JobError | null;
  result: Record<string, unknown> | null;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
}

export interface Attempt {
  epoch: number;
  worker: string | null;
  started_at: string;
  ended_at: string | null;
  outcome: string | null;
  blame: string | null;
  last_step: number | null;
}

/** One property of a method's JSON Schema. */
export interface Property {
  type: string | string[];
  minimum?: number;
  maximum?: number;
  enum?: string[];
  default: number | string | boolean | null;
  'x-default-with-adapter'?: number;
  description: string;
}

export interface Method {
  name: string;
  family: string;
  what: string;
  formula: string;
  hyperparameters: {properties: Record<string, Property>};
}

/** A published version that a run can learn from. */
export interface Choice {
  id: string;
  model: string;
  version: number;
  task: string;
}

export interface RewardPart {
  critic?: string;
  model?: string;
  type?: string;
  label?: string;
  name: string;
  weight: number;
}

export interface Adapter {
  type: 'lora';
  rank: number;
  alpha: number;
  targets: string[];
}

export interface Run {
  id: string;
  project: string;
  model: string;
  state: JobState;
  method: string;
  base: {id: string; name: string};
  snapshot: {id: string; number: number; root: string};
  adapter: 'none' | 'lora' | Adapter;
  hyperparameters: Record<string, number | string | boolean | null>;
  reward?: RewardPart[] | null;
  gold?: RewardPart[] | null;
  teacher?: {label: string} | null;
  seed: number;
  /** Of a run of several seeds, in their order; null of one. */
  seeds?: number[] | null;
  /** Of one source of chance alone, where it was given; the same in every run of several. */
  init_seed?: number | null;
  order_seed?: number | null;
  sample_seed?: number | null;
  progress: StageProgress | null;
  waiting: {reason: string; detail: string} | null;
  metrics: Record<string, number> | null;
  attempts: Attempt[];
  error: JobError | null;
  result: {model: string; version: number; evaluation: Evaluation | null; seeds?: SeedsResult | null} | null;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  created_by: unknown;
}

export interface SeedsMean {
  mean: number;
  n: number;
  /** 95 % interval (Student's t); absent of one seed. */
  low?: number;
  high?: number;
}

/** What the seeds of a run came to: each one's figures or its failure, and their means. */
export interface SeedsResult {
  published: number;
  finished: number;
  failed: number;
  seeds: {
    seed: number;
    ok: boolean;
    step?: number;
    detail?: string;
    metrics?: Record<string, unknown>;
    evaluation?: Record<string, unknown>;
  }[];
  evaluation: Record<string, SeedsMean>;
  metrics: Record<string, SeedsMean>;
}

/** What an evaluation holds is the run's to say; the page shows the names it knows and lists the rest. */
export type Evaluation = Record<string, unknown>;

export interface ModelSummary {
  name: string;
  /** policy: it writes answers; reward: it gives them scores. */
  task?: string;
  latest_version: number | null;
  versions: number | VersionSummary[];
  created_at: string;
}

export interface VersionSummary {
  id: string;
  version: number;
  state: string;
  created_at: string;
}

export interface ModelVersion {
  model: string;
  task?: string;
  version: number;
  state: string;
  run: string | {id: string} | null;
  base: unknown;
  snapshot: unknown;
  spec: unknown;
  code_revision: string;
  metrics: Record<string, number> | null;
  evaluation: Evaluation | null;
  files: {path: string; bytes: number; sha256: string}[];
  created_at: string;
}

export interface RunEvent {
  seq: number;
  type: string;
  at: string;
  level?: string;
  message?: string | null;
  data?: Record<string, unknown> | null;
}

export type Verdict = 'prefer' | 'tie' | 'both_bad' | 'skip';
export type SkipReason =
  | 'cannot_judge' | 'unclear' | 'offensive' | 'wrong_language' | 'too_long' | 'other';

/** One answer as given on the screen: +3 = the left one much better. */
export interface Answer {
  verdict: Verdict;
  strength?: number;
  skip_reason?: SkipReason;
}

export interface Item {
  assignment: string;
  impression: string;
  lease_until: string;
  prompt: Message[];
  left: Message[];
  right: Message[];
  /** The last answer, when the comparison was reopened by undo. */
  answer: Answer | null;
}

export interface QueueReply {
  items: Item[];
  reason: 'none_left' | 'paused' | 'cap' | null;
  retry_after: number | null;
}

export interface MyJudgment {
  id: string;
  assignment: string;
  verdict: Verdict | 'retracted';
  strength: number | null;
  created_at: string;
  retracted: boolean;
}
