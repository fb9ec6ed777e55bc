"""Prints what the demo's run came to, from the files it published. report.py RUN.json FOLDER TIME.

Status 1 unless the 95 % interval of the win rate lies above one half: otherwise the gain may be chance.
"""

import datetime
import json
import pathlib
import sys
import textwrap


def seconds_between(start: str, end: str) -> float:
    parse = lambda text: datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (parse(end) - parse(start)).total_seconds()


def spell(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def show_example(folder: pathlib.Path) -> None:
    """One held-out prompt, before and after: the first that the trained model won."""
    for line in (folder / "hone" / "samples.jsonl").read_text().splitlines():
        round_ = json.loads(line)
        if round_["outcome"] == 1:
            wrap = lambda text: textwrap.fill(" ".join(text.split()), 96, initial_indent="     ", subsequent_indent="     ")
            print(f"\n   For example, asked: {round_['prompt']}")
            print("   the base:\n" + wrap(round_["base_text"]))
            print("   the new model:\n" + wrap(round_["text"]))
            return


def main() -> int:
    run = json.loads(pathlib.Path(sys.argv[1]).read_text())
    folder = pathlib.Path(sys.argv[2])
    evaluation = json.loads((folder / "hone" / "evaluation.json").read_text())
    cost = json.loads((folder / "hone" / "manifest.json").read_text())["cost"]
    won = evaluation["win_rate"]
    low, high = won["low"], won["high"]
    certain = low > 0.5

    print(f"\n{run['result']['model']} version {run['result']['version']}, published")
    print(f"   win rate      {won['win_rate']:.1%} against the base on {won['prompts']} held-out prompts, "
          f"95 % interval {low:.1%} to {high:.1%} ({won['wins']} won, {won['ties']} tied, {won['losses']} lost)")
    print(f"   mean length   {won['mean_tokens']:.1f} tokens, the base's {won['base_mean_tokens']:.1f}")
    print(f"   KL to base    {won['kl_seq']:.2f} nats a response, {won['kl_token']:.3f} a token")
    print(f"   run           {spell(seconds_between(run['started_at'], run['finished_at']))}, {cost['steps']} steps, "
          f"{cost['tokens']:,} tokens, {cost['train_s']:.0f} s of them training; the whole demo {sys.argv[3]}")
    print(f"   checkpoint    {folder / 'hf'}   (a Hugging Face directory)")
    show_example(folder)
    if high < 0.5:
        print("\n   The interval lies below 50 %: by this measure the new model is worse than its base.")
    elif not certain:
        print("\n   The interval includes 50 %: this run does not show that the new model is better than its base.")
    return 0 if certain else 1


sys.exit(main())
