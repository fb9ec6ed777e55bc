"""Policy-gradient methods on a rollout that hone-run drew itself: five passes over it, against TRL's GRPOTrainer and
RLOOTrainer, which get its tokens in place of their own sampling and compute rewards, advantages, old and reference
log-probabilities themselves; PPO and REINFORCE++, which TRL has in another form or not at all, against their formulas
in plain torch on transformers' models.

The rollout is the run's second: by then the policy has left the reference, so every KL term has a size. The oracle
begins where the checkpoint before it stands. Adam without memory (both betas 0) makes that beginning complete.

Definitions that differ:
- grpo_token is TRL's loss_type dapo, grpo_seq its grpo, gspo its grpo by sequence. dr_grpo drops the division by the
  deviation, too, which TRL keeps unless scale_rewards is none.
- dapo: groups whose answers all score the same do not count in the step; TRL has no dynamic sampling and counts their
  tokens. No group here is such a one. The fine for length is TRL's get_soft_overlong_punishment.
- The KL in the loss: Hone's k3 is TRL's without use_bias_correction_kl. With it (TRL's default) the ratio multiplies
  the term, whose gradient is that of k3_grad_k2 while the ratio is 1: in a rollout's first pass, compared alone.
- LoRA: the reference is the model without its adapter. TRL, given an adapter that has begun, takes a copy of that for
  the reference, as Hone would for a run from a merged model: the copy is deleted here.
- rloo's baseline and KL are TRL's. In Hone, the exponent of every ratio ends at +-20: none here comes near.
- ppo: TRL adds the score one place after the end token; Hone at the last token drawn. TRL clips value and policy
  losses into one sum with a coefficient under one optimizer; Hone's value network has its own.

usage: check_policy.py HONE_RUN"""
import functools
import pathlib
import re
import statistics
import tempfile

from philox import ORDER, Random
from steps import (SEED, STEPS, Run, adapt, arguments, causal_model, check, compare_weights, datasets, finish, log_of, make_base, plain, tokenizer_of,
                   torch, trainables, transformers, trl)
from trl.rewards import get_soft_overlong_punishment

PROMPTS, GROUP, LONGEST, T, TARGET, BUFFER = 3, 4, 12, 0.8, 10, 4
RATE, VALUE_RATE, EPS = 3e-3, 5e-3, 1e-3
ROWS = [dict(prompt=f"Question {i}:") for i in range(PROMPTS)]
REWARD = [dict(type="length", tokens=TARGET), dict(type="regex", pattern="[a-e]", weight=0.5)]
HYPER = dict(learning_rate=RATE, batch_size=PROMPTS, max_new_tokens=LONGEST, temperature=T, rollout_epochs=STEPS, schedule="constant", adam_beta1=0, adam_beta2=0,
             adam_eps=EPS)


def length_reward(completion_ids, **_):
    return [-abs(len(ids) - TARGET) / TARGET for ids in completion_ids]


def regex_reward(completions, **_):
    return [0.5 * bool(re.search("[a-e]", text)) for text in completions]


class Rollout:
    """A run's second rollout: its numbers, the weights before it, and the metrics of the steps on it."""

    def __init__(self, folder, method, base, settings, reward=REWARD, lora=False):
        self.lora = lora
        hyper = HYPER | settings
        steps = hyper["rollout_epochs"] * hyper.get("minibatches", 1)
        before = Run(folder / "before", method, base, ROWS, hyper, steps=steps, reward=reward, lora=lora)
        self.before, self.first = before.tensors, before.checkpoint(steps - 1)
        self.start = before.weights_in(before.tensors)
        self.run = Run(folder / "run", method, base, ROWS, hyper, steps=2 * steps, reward=reward, lora=lora)
        self.run.metrics = self.run.metrics[steps:]
        tensors = self.run.checkpoint(2 * steps - 1)
        self.numbers = {n.removeprefix("rollout."): v for n, v in tensors.items() if n.startswith("rollout.")}
        self.lengths = self.numbers["lengths"].tolist()
        self.answers = [ids.tolist() for ids in self.numbers["tokens"].split(self.lengths)]
        tokenizer = tokenizer_of(base)
        self.rows = [ROWS[i] for i in self.numbers["prompt"].tolist()]
        self.prompts = [tokenizer(row["prompt"])["input_ids"] for row in self.rows]
        self.texts = tokenizer.batch_decode(self.answers, skip_special_tokens=True)
        self.truncated = [ids[-1] not in (1, 3) for ids in self.answers]
        assert self.truncated == [bool(x) for x in self.numbers["truncated"]]
        assert 0 < sum(self.truncated) < len(self.truncated), "answers that end and answers that are cut are both wanted"

    def each(self, per_answer):
        """A number per answer as one per token."""
        return torch.cat([torch.full((n,), float(x), dtype=torch.float64) for n, x in zip(self.lengths, per_answer)])

    def logprobs(self, model):
        out = []
        for prompt, ids in zip(self.prompts, self.answers):
            logits = model(torch.tensor([prompt + ids])).logits[0, len(prompt) - 1:-1] / T
            out.append(logits.log_softmax(-1).gather(1, torch.tensor(ids)[:, None])[:, 0])
        return torch.cat(out)

    def values(self, model, offset, scale):
        """The head on the state before each token."""
        inner = model.get_base_model() if hasattr(model, "get_base_model") else model
        out = []
        for prompt, ids in zip(self.prompts, self.answers):
            hidden = inner.model(torch.tensor([prompt + ids])).last_hidden_state[0, len(prompt) - 1:-1]
            out.append((inner.score(hidden)[:, 0] - offset) * scale)
        return torch.cat(out)

    def loaded(self, model, weights, **more):
        if self.lora:
            model = adapt(model, weights, **more)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if parameter.requires_grad:
                    parameter.copy_(weights[plain(name)])
        return model

    def policy(self, base):
        return self.loaded(causal_model(base), self.start)

    def passes(self, epochs, minibatches):
        """The tokens that each step learns from: whole groups, dealt anew for every pass, in their own order where a
        step takes them all."""
        answer = self.each(range(len(self.answers))).long()
        for epoch in range(epochs):
            order = list(range(PROMPTS))
            if minibatches > 1:
                order = Random(SEED, ORDER).permutation(PROMPTS, 2**40 + epochs + epoch)  # the second rollout's
            for part in range(minibatches):
                groups = order[PROMPTS * part // minibatches:PROMPTS * (part + 1) // minibatches]
                yield torch.isin(answer // (len(self.answers) // PROMPTS), torch.tensor(groups))


def check_rollout(what, rollout, base, policy):
    """What was stored with the tokens, computed again."""
    with torch.no_grad():
        for kind, model in (("sampled", policy), ("old", policy), ("ref", causal_model(base))):
            check(f"{what}: {kind} log-probabilities of {len(rollout.numbers['tokens'])} tokens",
                  (rollout.logprobs(model) - rollout.numbers[kind]).abs().max().item(), 1e-5)
    kl = (rollout.numbers["old"] - rollout.numbers["ref"]).double().sum().item() / len(rollout.answers)
    first = rollout.run.metrics[0]
    check(f"{what}: rl/kl/seq ({kl:.2g})", abs(kl - first["rl/kl/seq"]), 1e-5)
    assert abs(kl) > 1e-3, "the policy has not moved"


def check_against_trl(folder, base, method, settings, trainer_class, config, theirs, more_rewards=(), lora=False):
    rollout = Rollout(folder, method, base, dict(group_size=GROUP) | settings, lora=lora)
    what = method + ", k3_grad_k2" * ("kl_estimator" in settings) + ", LoRA" * lora
    metrics = rollout.run.metrics
    assert metrics[0]["rl/group/zero_std"] == 0
    model = rollout.policy(base)
    check_rollout(what, rollout, base, model)
    scores = [a + b for a, b in zip(length_reward(rollout.answers), regex_reward(rollout.texts))]
    check(f"{what}: rl/score/mean", abs(sum(scores) / len(scores) - metrics[0]["rl/score/mean"]), 1e-6)

    class OnRollout(trainer_class):
        def _generate_single_turn(self, prompt_ids, *_):
            assert prompt_ids == rollout.prompts
            return rollout.answers if trainer_class is trl.RLOOTrainer else (rollout.answers, None)

        def _generate_and_score_completions(self, inputs):
            made = super()._generate_and_score_completions(inputs)
            self.advantages = made["advantages"].clone()
            return made

    data = datasets.Dataset.from_list(rollout.rows[::GROUP])
    trainer = OnRollout(model=model, reward_funcs=[length_reward, regex_reward, *more_rewards], train_dataset=data, processing_class=tokenizer_of(base), args=arguments(
        config, folder, PROMPTS * GROUP, RATE, lr_scheduler_type="constant", adam_beta1=0.0, adam_beta2=0.0, adam_epsilon=EPS, num_generations=GROUP,
        max_completion_length=LONGEST, num_iterations=STEPS, steps_per_generation=1, temperature=T, disable_dropout=True, shuffle_dataset=False, **theirs))
    if lora and "ref" in trainer.model.peft_config:
        trainer.model.delete_adapter("ref")
    log = log_of(trainer)
    check(f"{what}: advantages", (rollout.numbers["advantages"] - rollout.each(trainer.advantages)).abs().max().item(), 2e-5)
    if settings.get("kl_estimator") == "k3_grad_k2":
        compare_steps(what, rollout, [log[0]["loss"]], [log[0]["grad_norm"]])
        return
    compare_steps(what, rollout, [line["loss"] for line in log], [line["grad_norm"] for line in log])
    if "clip_ratio/low_mean" in log[0]:
        for ours, their in (("rl/clip/low", "clip_ratio/low_mean"), ("rl/clip/high", "clip_ratio/high_mean")):
            shares = [(line[ours], other[their]) for line, other in zip(metrics, log)]
            if method not in ("gspo", "rloo"):  # there TRL's shares are of sequences, Hone's of tokens
                check(f"{what}: {ours}, at most {max(b for _, b in shares):.2g}", max(abs(a - b) for a, b in shares), 1e-6)
    compare_weights(what, rollout.run.weights, trainables(model), rollout.start, 1e-4)


def compare_steps(what, rollout, losses, norms):
    ours = rollout.run.column("loss")[:len(losses)]
    check(f"{what}: losses of {len(ours)} steps, {ours[0]:.2g} to {ours[-1]:.2g}", max(abs(a - b) for a, b in zip(ours, losses)), 1e-5)
    check(f"{what}: gradient norms, relative", max(abs(a - b) / max(b, 1e-3) for a, b in zip(rollout.run.column("opt/grad_norm"), norms)), 1e-3)


def whiten(x):
    return (x - x.mean()) / (x.var(unbiased=True) + 1e-8).sqrt()


def adam(model, rate):
    return torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=rate, betas=(0.0, 0.0), eps=EPS, weight_decay=0)


def check_against_formulas(folder, base, what, method, settings, reward_model=None, offset=0.0, scale=1.0, lora=False):
    reward = REWARD if reward_model is None else dict(type="reward_model", path=str(reward_model), offset=offset, scale=scale)
    group = settings.get("group_size", 1)
    rollout = Rollout(folder, method, base, dict(group_size=group) | settings, reward, lora)
    numbers, first = rollout.numbers, rollout.run.metrics[0]
    policy = rollout.policy(base)
    check_rollout(what, rollout, base, policy)

    # Scores.
    if reward_model is None:
        scores = [a + b for a, b in zip(length_reward(rollout.answers), regex_reward(rollout.texts))]
        mean = sum(scores) / len(scores)
    else:
        judge = transformers.AutoModelForSequenceClassification.from_pretrained(reward_model, num_labels=1, dtype=torch.float32).eval()
        with torch.no_grad():
            scores = [(judge(torch.tensor([p + ids])).logits.item() - offset) * scale for p, ids in zip(rollout.prompts, rollout.answers)]
        mean = sum(scores) / len(scores)
        scores = [-1.0 if cut else score for score, cut in zip(scores, rollout.truncated)]  # no_end_score
    check(f"{what}: rl/score/mean", abs(mean - first["rl/score/mean"]), 1e-5)
    check(f"{what}: scores", max(abs(a - b) for a, b in zip(scores, numbers["scores"].tolist())), 1e-5)

    # Advantages and returns, in double from the stored log-probabilities and values.
    coefficient = settings["kl_coefficient"]
    rewards = -coefficient * (numbers["old"].double() - numbers["ref"].double())
    V = torch.zeros_like(rewards)
    value = None
    if method == "ppo":
        value = transformers.LlamaForSequenceClassification.from_pretrained(base if reward_model is None else reward_model, num_labels=1, dtype=torch.float32)
        # The first rollout's values are those of the network as it begins: the reward model, or that rollout's mean score.
        beginning = Beginning(rollout, base)
        if reward_model is None:
            value.score.weight.data.zero_()
            offset = -statistics.fmean(a + b for a, b in zip(length_reward(beginning.answers), regex_reward(beginning.texts)))
        with torch.no_grad():
            check(f"{what}: values of the first rollout", (beginning.values(value, offset, scale) - beginning.numbers["values"]).abs().max().item(), 1e-5)
        start = rollout.run.weights_in(rollout.before, "value.")
        value = rollout.loaded(value, start, **(dict(task="SEQ_CLS", modules_to_save=["score"]) if lora else {}))
        with torch.no_grad():
            check(f"{what}: values of the second", (rollout.values(value, offset, scale) - numbers["values"]).abs().max().item(), 1e-5)
        V = numbers["values"].double()
    gamma, trace = (settings["gae_gamma"], settings["gae_lambda"]) if value else (1, 1)
    A = torch.zeros_like(rewards)
    at = 0
    for n, score in zip(rollout.lengths, scores):
        rewards[at + n - 1] += score
        following = carried = 0.0
        for t in range(at + n - 1, at - 1, -1):
            carried = rewards[t] + gamma * following - V[t] + gamma * trace * carried
            following, A[t] = V[t], carried
        at += n
    if value:
        check(f"{what}: returns", (A + V - numbers["returns"]).abs().max().item(), 1e-5)
        returns, old_values = (A + V).float(), numbers["values"]
    A = whiten(A)
    check(f"{what}: whitened advantages", (A - numbers["advantages"]).abs().max().item(), 1e-4)
    check(f"{what}: their mean and deviation from 0 and 1", max(abs(A.mean().item()), abs(A.std().item() - 1)), 1e-6)

    # The passes.
    A, old = A.float(), numbers["old"]
    optimizer, losses, norms, value_losses = adam(policy, RATE), [], [], []
    value_optimizer = adam(value, VALUE_RATE) if value else None
    for taken in rollout.passes(settings.get("rollout_epochs", STEPS), settings.get("minibatches", 1)):
        ratio = (rollout.logprobs(policy) - old).exp()
        loss = -torch.minimum(ratio * A, ratio.clamp(0.8, 1.2) * A)[taken].mean()
        optimizer.zero_grad()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0).item())
        optimizer.step()
        losses.append(loss.item())
        if value:
            v = rollout.values(value, offset, scale)
            clip = settings["value_clip"]
            held = torch.minimum(torch.maximum(v, old_values - clip), old_values + clip)
            loss = 0.5 * torch.maximum((v - returns).square(), (held - returns).square())[taken].mean()
            value_optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(value.parameters(), 1.0)
            value_optimizer.step()
            value_losses.append(loss.item())
    compare_steps(what, rollout, losses, norms)
    compare_weights(what, rollout.run.weights, trainables(policy), rollout.start, 1e-4)
    if value:
        ours = rollout.run.column("value/loss")
        check(f"{what}: value losses, {ours[0]:.2g} to {ours[-1]:.2g}", max(abs(a - b) for a, b in zip(ours, value_losses)), 1e-5)
        shares = rollout.run.column("value/clip")
        assert max(shares) > 0, "the value clip is never reached"
        compare_weights(f"{what}, value network", rollout.run.weights_in(rollout.run.tensors, "value."), trainables(value), start, 1e-4)


class Beginning(Rollout):
    """The run's first rollout."""

    def __init__(self, second, base):
        self.numbers = {n.removeprefix("rollout."): v for n, v in second.first.items() if n.startswith("rollout.")}
        self.lengths = self.numbers["lengths"].tolist()
        self.answers = [ids.tolist() for ids in self.numbers["tokens"].split(self.lengths)]
        tokenizer = tokenizer_of(base)
        self.prompts = [tokenizer(ROWS[i]["prompt"])["input_ids"] for i in self.numbers["prompt"].tolist()]
        self.texts = tokenizer.batch_decode(self.answers, skip_special_tokens=True)


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    base = make_base(folder / "base", ends=2.5)
    GRPO, RLOO = (trl.GRPOTrainer, trl.GRPOConfig), (trl.RLOOTrainer, trl.RLOOConfig)
    overlong = functools.partial(get_soft_overlong_punishment(max_completion_len=LONGEST, soft_punish_cache=BUFFER))
    overlong.__name__ = "overlong"
    for method, settings, (trainer, config), theirs, *more in (
            ("grpo_token", {}, GRPO, dict(loss_type="dapo", beta=0.0)),
            ("grpo_seq", dict(kl_coefficient=0.05), GRPO, dict(loss_type="grpo", beta=0.05, use_bias_correction_kl=False)),
            ("grpo_seq", dict(kl_coefficient=0.05, kl_estimator="k3_grad_k2"), GRPO, dict(loss_type="grpo", beta=0.05, use_bias_correction_kl=True)),
            ("grpo_seq", dict(kl_coefficient=0.05), GRPO, dict(loss_type="grpo", beta=0.05, use_bias_correction_kl=False), (), True),
            ("dr_grpo", {}, GRPO, dict(loss_type="dr_grpo", beta=0.0, scale_rewards="none")),
            ("dapo", dict(overlong_buffer=BUFFER), GRPO, dict(loss_type="dapo", beta=0.0, epsilon_high=0.28, mask_truncated_completions=True), (overlong,)),
            ("gspo", dict(clip_low=0.1, clip_high=0.15), GRPO,
             dict(loss_type="grpo", beta=0.0, importance_sampling_level="sequence", epsilon=0.1, epsilon_high=0.15)),
            ("cispo", dict(cispo_max=1.1), GRPO, dict(loss_type="cispo", beta=0.0, epsilon_high=1.1)),
            ("rloo", dict(kl_coefficient=0.05), RLOO, dict(beta=0.05))):
        check_against_trl(folder, base, method, settings, trainer, config, theirs, *more)

    check_against_formulas(folder, base, "reinforce_pp", "reinforce_pp", dict(kl_coefficient=0.1, group_size=4))
    ppo = dict(kl_coefficient=0.1, group_size=4, value_learning_rate=VALUE_RATE, value_clip=0.05, gae_gamma=0.98, gae_lambda=0.9)
    check_against_formulas(folder, base, "ppo", "ppo", ppo)
    check_against_formulas(folder, base, "ppo, LoRA", "ppo", ppo, lora=True)
    check_against_formulas(folder, base, "ppo in minibatches", "ppo", ppo | dict(rollout_epochs=2, minibatches=2))
    pairs = [dict(prompt=row["prompt"], chosen=" yes<|eot_id|>", rejected=" that may be<|eot_id|>") for row in ROWS]
    made = Run(folder / "judge", "rm.sigmoid", base, pairs, dict(learning_rate=3e-3, batch_size=3))
    check_against_formulas(folder, base, "ppo from a reward model", "ppo", ppo, made.out / "reward", offset=0.3, scale=2.0)
finish()
