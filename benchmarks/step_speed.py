"""Training-step speed of the engine against a plain hand-written PyTorch loop of the same network.

Both sides take steps in turn on the same text, stack and batch; the ratio of the times is printed with its interval and
kept in ``benchmarks/results/step_speed.json``. Run it on an otherwise idle machine: ``make bench``.
"""

import argparse
import json
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import torch
from platformdirs import user_cache_path
from torch import nn
from torch.nn import functional as F

from pennyweight.arrays.statistics import median
from pennyweight.core.budget import Budget
from pennyweight.core.fit import begin
from pennyweight.core.machine import BusyWatch, this_machine
from pennyweight.core.recipe import override
from pennyweight.core.registry import find_method
from pennyweight.core.stack import Stack


class PlainAttention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(width, eps=1e-6)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.heads = heads

    def forward(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        batch, time_, width = x.shape
        q, k, v = self.qkv(self.norm(x)).view(batch, time_, 3, self.heads, -1).unbind(2)
        q, k = (_rotate(t, cos, sin) for t in (q, k))
        y = F.scaled_dot_product_attention(*(t.transpose(1, 2) for t in (q, k, v)), is_causal=True)
        return x + self.out(y.transpose(1, 2).reshape(batch, time_, width))


def _rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    cos, sin = cos.to(x.dtype), sin.to(x.dtype)
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


class PlainFeedForward(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(width, eps=1e-6)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.out = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.out(F.relu(self.up(self.norm(x))).square())


class PlainModel(nn.Module):
    def __init__(self, letters: str, *, width: int, heads: int, vocab_size: int, context: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width)
        self.blocks = nn.ModuleList(
            PlainAttention(width, heads) if letter == "a" else PlainFeedForward(width) for letter in letters
        )
        self.norm = nn.RMSNorm(width, eps=1e-6)
        half = width // heads // 2
        angles = torch.outer(torch.arange(context).float(), 10000.0 ** (-torch.arange(half) / half))[:, None]
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, self.cos, self.sin) if isinstance(block, PlainAttention) else block(x)
        return F.linear(self.norm(x), self.embedding.weight)


def measure(pattern: str, *, stack: Stack, repeats: int) -> dict[str, object]:
    method = find_method("par")
    config = override(method.recipe("tiny"), {"pattern": pattern, "fit.validations": 0})
    cache = user_cache_path("pennyweight")
    with tempfile.TemporaryDirectory() as folder:
        trainer = begin("par/tiny", config, runs=Path(folder), cache=cache, budget=Budget(samples=10**9), stack=stack)
        task = trainer.task
        plain = PlainModel(
            config.parsed_pattern().letters,
            width=config.width,
            heads=config.num_heads,
            vocab_size=task.tokenizer.vocab_size,
            context=config.context,
        )
        assert sum(p.numel() for p in plain.parameters()) == task.num_parameters()
        optimizer = torch.optim.AdamW(plain.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=0.05, fused=True)
        source = task.source("train", seed=0)
        import numpy as np

        def plain_step(number: int) -> None:
            first = number * config.fit.batch
            tokens = torch.from_numpy(source.batch(np.arange(first, first + config.fit.batch))["tokens"])
            with stack.autocast():
                logits = plain(tokens[:, :-1])
                loss = F.cross_entropy(logits.flatten(0, 1).float(), tokens[:, 1:].flatten())
            loss.backward()
            nn.utils.clip_grad_norm_(plain.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            loss.item()

        seconds: dict[str, list[float]] = {"engine": [], "plain": []}
        for number in range(repeats + 3):
            sides = [("engine", trainer.step), ("plain", lambda number=number: plain_step(number))]
            for name, step in sides[:: 1 if number % 2 else -1]:
                started = time.perf_counter()
                step()
                seconds[name].append(time.perf_counter() - started)
    kept = {name: values[3:] for name, values in seconds.items()}
    ratio = median([a / b for a, b in zip(kept["engine"], kept["plain"], strict=True)])
    return {
        "pattern": str(config.parsed_pattern()),
        "stack": str(stack),
        "repeats": repeats,
        "engine_ms": median(kept["engine"]).value * 1e3,
        "plain_ms": median(kept["plain"]).value * 1e3,
        "engine_over_plain": ratio._asdict(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=40)
    repeats = parser.parse_args().repeats
    watch = BusyWatch()
    rows = [
        measure(pattern, stack=Stack.parse(f"cpu/torch/{precision}"), repeats=repeats)
        for pattern in ("interleaved", "par(5)")
        for precision in ("bf16", "fp32")
    ]
    for row in rows:
        low, high = row["engine_over_plain"]["low"], row["engine_over_plain"]["high"]
        print(
            f"{row['pattern']:24} {row['stack']:18} engine {row['engine_ms']:.1f} ms, plain {row['plain_ms']:.1f} ms,"
            f" ratio {row['engine_over_plain']['value']:.3f} ({low:.3f} to {high:.3f})"
        )
    if watch.sentence():
        print(watch.sentence())
    document = {"machine": asdict(this_machine()), "others_share": watch.share(), "rows": rows}
    path = Path(__file__).parent / "results" / "step_speed.json"
    path.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
