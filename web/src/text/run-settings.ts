// The house defaults and bounds of a run's settings, as the server states them.

export interface Setting {
  name: string;
  label: string;
  /** null: empty means "no limit" and is not sent. */
  value: number | null;
  min: number;
  max: number;
  whole: boolean;
  help: string;
}

export const LEARNING_RATE = {lora: 1e-5, none: 1e-6};

export const HYPERPARAMETERS: Setting[] = [
  {name: 'batch_size', label: 'Batch size', value: 64, min: 1, max: 65_536, whole: true, help: 'pairs an optimizer step, 1 to 65,536, default 64'},
  {name: 'epochs', label: 'Epochs', value: 1, min: 1, max: 1000, whole: true, help: '1 to 1,000, default 1; small sets want more'},
  {name: 'max_steps', label: 'Most steps', value: null, min: 1, max: 10_000_000, whole: true, help: 'empty: as the epochs need'},
  {name: 'beta', label: 'Beta', value: 0.1, min: 0.000001, max: 100, whole: false, help: 'strength of the tie to the base, 1e-6 to 100, default 0.1'},
  {name: 'warmup_ratio', label: 'Warm-up', value: 0.1, min: 0, max: 1, whole: false, help: 'share of the steps, 0 to 1, default 0.1'},
  {name: 'max_grad_norm', label: 'Gradient norm bound', value: 1, min: 0, max: 1_000_000, whole: false, help: 'default 1; 0 switches it off'},
  {name: 'max_tokens', label: 'Longest pair (tokens)', value: 1024, min: 2, max: 1_048_576, whole: true, help: 'prompt and answer, default 1,024'},
  {name: 'weight_decay', label: 'Weight decay', value: 0, min: 0, max: 1, whole: false, help: '0 to 1, default 0'},
];

export const TARGETS = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];
