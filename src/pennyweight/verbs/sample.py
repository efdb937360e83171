"""``sample``: let a trained language model write."""

from pennyweight.console import Output
from pennyweight.core.errors import UserError
from pennyweight.core.fit import load_task
from pennyweight.core.run import find_run, find_runs
from pennyweight.core.stack import Stack
from pennyweight.core.task import WritesText
from pennyweight.verbs.request import Place


def write(
    output: Output, place: Place, *, run: str, prompt: str, tokens: int, temperature: float, top_k: int, seed: int
) -> None:
    """Continue a prompt with the newest finished run, or with the one named."""
    if tokens < 1 or temperature < 0 or top_k < 0:
        raise UserError(
            f"--tokens {tokens} --temperature {temperature} --top-k {top_k}",
            expected="at least one token, and neither temperature nor top-k below 0",
        )
    if not run:
        finished = [found for found in find_runs(place.runs) if found.weights.is_file()]
        if not finished:
            raise UserError(f"no trained run in {place.runs}", expected="one", hint="pennyweight fit")
        chosen = finished[-1]
    else:
        chosen = find_run(run, place.runs)
    Stack.parse("cpu").activate()
    task = load_task(chosen, cache=place.cache)
    if not isinstance(task, WritesText):
        raise UserError(f"run {chosen.name} ({chosen.recipe}) writes no text", expected="a language model's run")
    text = task.write(prompt, num_tokens=tokens, temperature=temperature, top_k=top_k, seed=seed)
    output.say(text)
    output.done(
        result={"text": text, "prompt": prompt, "seed": seed},
        runs=[chosen.folder],
        next_command=f"pennyweight report {chosen.folder}",
    )
