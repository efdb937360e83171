"""What a page says is what the numbers say; it escapes, links, and asks nothing of a network."""

import dataclasses
import json
import math
import re
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Literal

import pytest

from pennyweight.core.errors import UserError
from pennyweight.core.files import write_json
from pennyweight.core.race import SIDES, Interval, RaceResult, Side, SideName, Trial
from pennyweight.core.receipt import Assumptions, Receipt, Result, Spent
from pennyweight.core.run import Run
from pennyweight.report import page

SPREAD = {0: -0.01, 1: 0.0, 2: 0.01}
SWEPT = {0.0015: 2.31, 0.003: 2.24, 0.006: 2.29}
RATIO = Interval(value=0.9687, low=0.95, high=0.988)
NO_VALUES: tuple[tuple[SideName, int], ...] = ()


def a_receipt(*, value: float = 2.013, seed: int = 0, notes: Sequence[str] = (), **changes: Any) -> dict[str, Any]:
    """What fit writes at the end of a run, with known numbers."""
    receipt = Receipt(
        recipe="par/tiny",
        config={"pattern": "par(5)", "fit": {"batch": 8}},
        stack="cpu/torch/bf16/2t",
        machine={
            "processor": "A processor",
            "cores": 2,
            "memory_bytes": 8_000_000_000,
            "system": "Linux x86_64, Python 3.11",
            "accelerator": "",
            "torch": "2.13.0",
            "variables": {"OMP_NUM_THREADS": "2"},
            "fingerprint": "0123456789ab",
            "processes": 1,
        },
        seed=seed,
        data={"name": "built-in text", "sha256": "ab" * 32, "split": "by document, 90/5/5"},
        asked="63.00s",
        spent=Spent(
            train_seconds=63.21 + seed,
            validation_seconds=4.5,
            saving_seconds=0.2,
            calibration_seconds=1.5,
            lost_seconds=0.0,
            steps=411 + seed,
            samples=3288 + 8 * seed,
            peak_bytes=734_000_000,
            joules=None,
        ),
        result=Result(
            metric="bits per byte",
            unit="bits/byte",
            better="lower",
            value=value,
            low=value - 0.03,
            high=value + 0.03,
            interval="95 % bootstrap over 59 documents",
            details={"nats per token": 3.912},
        ),
        baselines={"untrained": 3.702, "byte trigrams": 2.391},
        parameters=1_604_352,
        assumptions=Assumptions(watts=65.0),
        notes=tuple(notes),
    )
    return dataclasses.replace(receipt, **changes).to_document()


def metrics(*, floor: float, seconds: float = 63.0, num_steps: int = 126) -> list[dict[str, Any]]:
    """The records of a run whose loss falls towards 2 ``floor`` and whose metric falls towards ``floor``."""
    records: list[dict[str, Any]] = []
    for step in range(num_steps + 1):
        part = step / num_steps
        fall = math.exp(-5 * part)
        record = {"step": step, "samples": 8 * step, "seconds": seconds * part, "fraction": part}
        if step:
            wobble = 0.1 * math.sin(step * step)
            records.append({"kind": "step", **record, "lr": 0.003 * (1 - part), "loss": 2 * floor + 3 * fall + wobble})
        if step % (num_steps // 6) == 0:
            records.append({"kind": "validation", **record, "value": floor + 1.7 * fall})
    return records


def a_race(
    folder: Path,
    *,
    idea: float = 2.013,
    rival: float = 2.078,
    diverged: Sequence[tuple[SideName, int]] = NO_VALUES,
    ratio: Interval | None = RATIO,
    verdict: Literal["idea", "rival", "undecided"] = "idea",
    **changes: Any,
) -> RaceResult:
    """A finished race on disk with three seeds a side, as `lottery.race` leaves it."""
    means: dict[SideName, float] = {"idea": idea, "rival": rival}
    trials, sweep = [], []
    for seed, shift in SPREAD.items():
        for side in SIDES:
            name = f"par-tiny-20260101T00000{seed}Z-{side[0]}{seed}aa"
            lost = (side, seed) in diverged
            value = None if lost else means[side] + shift
            records = metrics(floor=means[side] + shift, seconds=63.0 + 0.1 * seed)
            run = folder / "trials" / name
            run.mkdir(parents=True)
            write_json(run / "config.json", {"recipe": "par/tiny", "budget": "63.00s"})
            (run / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
            if value is not None:
                write_json(run / "receipt.json", a_receipt(value=value, seed=seed))
            curve = tuple((r["seconds"], r["value"]) for r in records if r["kind"] == "validation")
            trials.append(
                Trial(
                    side=side,
                    seed=seed,
                    tuned=0.003,
                    run=f"trials/{name}",
                    seconds=63.21 + seed,
                    value=value,
                    curve=curve[:3] if lost else curve,
                    receipt="" if lost else f"trials/{name}/receipt.json",
                )
            )
    for index, (tuned, value) in enumerate(SWEPT.items()):
        for side in SIDES:
            name = f"par-tiny-20260101T00001{index}Z-{side[0]}5bb"
            write_json(folder / "trials" / name / "config.json", {"recipe": "par/tiny", "budget": "21.08s"})
            found = value + (0.05 if side == "rival" else 0)
            sweep.append(
                Trial(
                    side=side,
                    seed=0,
                    tuned=tuned,
                    run=f"trials/{name}",
                    seconds=21.02,
                    value=found,
                    curve=((0.0, 3.7), (21.02, found)),
                )
            )
    result = RaceResult(
        name="par",
        claim="Replacing 63 % of the attention blocks keeps the perplexity.",
        recipe="par/tiny",
        sides={
            "idea": Side(name="PAR rule, p = 5", settings={"pattern": "par(5)"}),
            "rival": Side(name="interleaved", settings={"pattern": "interleaved"}),
        },
        metric="bits per byte",
        unit="bits/byte",
        better="lower",
        stack="cpu/torch/bf16/2t",
        stack_seconds={"cpu/torch/bf16/2t": 0.3, "cpu/torch/fp32/2t": 0.36},
        asked="600s",
        trial_budget="63.00s",
        spent_seconds=574.3,
        confidence=0.99,
        seeds=tuple(SPREAD),
        data={"name": "built-in text", "sha256": "ab" * 32, "split": "by document, 90/5/5"},
        tuned="fit.optimizer.lr",
        chosen={"idea": 0.003, "rival": 0.003},
        sweep=tuple(sweep),
        trials=tuple(trials),
        ratio=ratio,
        verdict=verdict,
        time_to_equal=None if diverged else Interval(value=0.712, low=0.6, high=0.84),
        equal_quality=None if diverged else 2.0837,
        figures={
            side: {
                "parameters": 1_604_352.0,
                "bytes of a training step": 412_345_678.0,
                "attention blocks": attention,
                "FLOPs per token": flops,
                "cache bytes at the context": cache,
                **{f"recall at {d}": recall - d / 1200 for d in (64, 128, 256, 496)},
                **{f"recall floor at {d}": 0.004 for d in (64, 128, 256, 496)},
            }
            for side, attention, flops, cache, recall in (
                ("idea", 3.0, 3_214_336.0, 786_432.0, 0.71),
                ("rival", 6.0, 3_604_480.0, 1_572_864.0, 0.93),
            )
        },
        speeds={
            "prefill": {"unit": "tokens/s", "idea": 21034.0, "rival": 17210.0, "ratio": _ratio(1.222, 1.18, 1.26)},
            "decode": {"unit": "tokens/s", "idea": 412.3, "rival": 356.1, "ratio": _ratio(1.158, 1.11, 1.2)},
            "training": {"unit": "samples/s", "idea": 52.1, "rival": 45.3, "ratio": _ratio(1.15, 1.09, 1.213)},
        },
        baselines={"untrained idea": 3.702, "untrained rival": 3.698, "byte trigrams": 2.391, "xz": 2.702},
        notes=("the machine was busy: other processes took 23% of its processors",),
    )
    result = dataclasses.replace(result, **changes)
    write_json(folder / "race.json", dataclasses.asdict(result))
    return result


def _ratio(value: float, low: float, high: float) -> Interval:
    return Interval(value=value, low=low, high=high)


def a_run(folder: Path, *, finished: bool = True, **changes: Any) -> Run:
    """A run on disk; an unfinished one has made two fifths of its steps."""
    folder.mkdir(parents=True)
    write_json(folder / "config.json", {"schema": 1, "recipe": "par/tiny", "budget": "63.00s", "stack": "cpu"})
    records = metrics(floor=2.013)
    kept = records if finished else [record for record in records if record["fraction"] <= 0.4]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in kept))
    if finished:
        write_json(folder / "receipt.json", a_receipt(**changes))
    return Run(folder)


class Reader(HTMLParser):
    """Reads a page as a browser would: its links, ids, addresses, elements, and its cells with their links."""

    VOID = frozenset({"meta", "link", "br", "img"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.addresses: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self.cells: list[tuple[str, str]] = []
        self._cell: list[str] | None = None
        self._href = ""
        self.open: list[str] = []
        self.feed(text)
        assert self.open == [], "an element is not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        self.tags.add(tag)
        for name, value in attrs:
            assert not name.startswith("on"), f"a script in an attribute: {name}"
            if name == "id":
                self.ids.append(value or "")
            if name == "href":
                self.links.append(value or "")
            if name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster"):
                self.addresses.append(value or "")
            if name == "href" and self._cell is not None:
                self._href = value or ""
        if tag == "td":
            self._cell, self._href = [], ""

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag == "td" and self._cell is not None:
            self.cells.append(("".join(self._cell), self._href))
            self._cell = None

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._cell is not None:
            self._cell.append(data)


def plain(text: str) -> str:
    """A sentence with its fixed spaces made common ones."""
    return text.replace("\u00a0", " ")


def links_by_number(text: str) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = {}
    for content, href in Reader(text).cells:
        if match := re.match(r"[\d.,]+", content):
            found.setdefault(match[0], set()).add(href)
    return found


# --- sentences ---


def test_an_idea_that_lowers_a_metric_wins_in_words(tmp_path: Path) -> None:
    result = a_race(tmp_path / "race")
    # 1 - 0.9687 = 3.13 %, 1 - 0.988 = 1.2 %, 1 - 0.95 = 5.0 %
    assert plain(page.verdict_sentence(result)) == (
        "Here the idea (PAR rule, p = 5) wins: 3.1 % fewer bits per byte than interleaved, 2.013 against 2.078,"
        " after 63 s of training each (99 % interval 1.2 % to 5.0 %)."
    )


def test_a_rival_that_lowers_a_metric_wins_by_the_inverse_ratio(tmp_path: Path) -> None:
    ratio = Interval(value=1.25, low=1.0526315789, high=1.6)
    result = a_race(tmp_path / "race", idea=2.5, rival=2.0, ratio=ratio, verdict="rival")
    # 1 - 1/1.25 = 20 %, 1 - 1/1.0526 = 5.0 %, 1 - 1/1.6 = 37.5 %
    assert plain(page.verdict_sentence(result)) == (
        "Here the rival (interleaved) wins: 20 % fewer bits per byte than PAR rule, p = 5, 2.000 against 2.500,"
        " after 63 s of training each (99 % interval 5.0 % to 38 %)."
    )


def test_higher_is_better_where_the_metric_says_so(tmp_path: Path) -> None:
    changes = {"metric": "accuracy", "better": "higher"}
    ratio = Interval(value=1.031, low=1.012, high=1.05)
    won = a_race(tmp_path / "a", idea=0.812, rival=0.788, ratio=ratio, verdict="idea", **changes)
    assert "the idea (PAR rule, p = 5) wins: 3.1 % higher accuracy than interleaved, 0.8120 against 0.7880" in plain(
        page.verdict_sentence(won)
    )
    lower = Interval(value=0.8, low=0.5, high=0.95238095)
    lost = a_race(tmp_path / "b", idea=0.6, rival=0.75, ratio=lower, verdict="rival", **changes)
    # 1/0.8 - 1 = 25 %, 1/0.952 - 1 = 5.0 %, 1/0.5 - 1 = 100 %
    assert "the rival (interleaved) wins: 25 % higher accuracy than PAR rule, p = 5" in plain(
        page.verdict_sentence(lost)
    )
    assert "(99 % interval 5.0 % to 100 %)" in plain(page.verdict_sentence(lost))


def test_undecided_names_both_ends_of_the_interval(tmp_path: Path) -> None:
    ratio = Interval(value=0.994, low=0.979, high=1.009)
    result = a_race(tmp_path / "race", ratio=ratio, verdict="undecided", trial_budget="20000samples")
    assert plain(page.verdict_sentence(result)) == (
        "Undecided: after 20,000 samples of training each, the idea (PAR rule, p = 5) has 0.60 % fewer bits per byte"
        " than the rival (interleaved), 2.013 against 2.078, but the 99 % interval reaches from 2.1 % lower to"
        " 0.90 % higher."
    )


def test_absurd_intervals_of_two_seeds_are_cut_short(tmp_path: Path) -> None:
    wide = Interval(value=0.9, low=8.6e-10, high=5.5e8)
    result = a_race(tmp_path / "race", ratio=wide, time_to_equal=wide, verdict="undecided")
    assert "reaches from over 99 % lower to over 900 % higher." in plain(page.verdict_sentence(result))
    assert "(99 % interval <0.01× to >100×)" in plain(page.time_sentence(result))


def test_too_few_seeds_are_said_to_be_the_reason(tmp_path: Path) -> None:
    clear = a_race(tmp_path / "two", verdict="undecided", seeds=(0, 1))
    assert "but 2 seeds are too few to name a winner" in page.verdict_sentence(clear)
    boundless = Interval(value=0.97, low=0.0, high=1e9)
    one = a_race(tmp_path / "one", ratio=boundless, verdict="undecided", time_to_equal=boundless)
    assert page.verdict_sentence(one).endswith("but one seed tells nothing of the spread.")
    assert page.time_sentence(one).endswith("the rival's training time (one seed, no interval).")


@pytest.mark.parametrize(
    ("diverged", "verdict", "sentence"),
    [
        (
            [("rival", 1)],
            "idea",
            "Here the idea (PAR rule, p = 5) wins: 1 of the 3 trials of the rival (interleaved) diverged and none of"
            " its own. There is no ratio to give.",
        ),
        (
            [("idea", 0), ("idea", 1), ("idea", 2)],
            "rival",
            "Here the rival (interleaved) wins: 3 of the 3 trials of the idea (PAR rule, p = 5) diverged and none of"
            " its own. There is no ratio to give.",
        ),
        (
            [("idea", 0), ("rival", 1), ("rival", 2)],
            "undecided",
            "Undecided: trials diverged on both sides, 1 of 3 of the idea (PAR rule, p = 5) and 2 of 3 of the rival"
            " (interleaved). There is no ratio to give.",
        ),
    ],
)
def test_divergence_decides_without_a_ratio(tmp_path: Path, diverged: Any, verdict: Any, sentence: str) -> None:
    folder = tmp_path / "race"
    result = a_race(folder, diverged=diverged, ratio=None, verdict=verdict, figures={}, speeds={})
    assert page.verdict_sentence(result) == sentence
    assert page.time_sentence(result) == "Time to equal quality is not known: a trial diverged."
    text = page.render("A race", [page.race_section(folder)])
    assert sum(content == "diverged" for content, _ in Reader(text).cells) == 2 * len(diverged)


def test_time_to_equal_quality_is_said_with_its_meaning(tmp_path: Path) -> None:
    result = a_race(tmp_path / "race")
    assert plain(page.time_sentence(result)) == (
        "The idea reaches 2.084 bits per byte, the validation quality that both reach, in 0.712× the rival's training"
        " time (99 % interval 0.600× to 0.840×): 29 % less time."
    )
    slower = dataclasses.replace(result, time_to_equal=Interval(value=1.5, low=1.25, high=1.75))
    assert plain(page.time_sentence(slower)).endswith("(99 % interval 1.25× to 1.75×): 50 % more time.")
    same = dataclasses.replace(result, time_to_equal=Interval(value=0.9, low=0.8, high=1.1))
    assert page.time_sentence(same).endswith("; equal time is inside the interval.")


@pytest.mark.parametrize(
    ("num_bytes", "text"), [(999, "999 B"), (1000, "1 kB"), (786_432, "786 kB"), (999_960, "1 MB"), (4e9, "4 GB")]
)
def test_bytes_take_the_unit_that_fits(num_bytes: float, text: str) -> None:
    assert plain(page.size(num_bytes)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, "0.25 s"), (63.254, "63.3 s"), (600, "10 min"), (3661, "61 min 1 s"), (9000, "2 h 30 min")],
)
def test_durations_read_as_clocks_do(seconds: float, text: str) -> None:
    assert plain(page.duration(seconds)) == text


# --- the race section ---


def test_a_race_says_everything_in_its_order(tmp_path: Path) -> None:
    a_race(tmp_path / "race")
    text = page.render("A race", [page.race_section(tmp_path / "race")])
    marks = [
        "The paper&#39;s claim",
        "Verdict: the idea wins",
        "wins: 3.1",
        "The idea reaches 2.084",
        "<svg",
        "Both sides",
        "recall: accuracy",
        "The floor",
        "The sweep",
        "The trials",
        "other processes took 23%",
        "Receipts of the idea",
    ]
    places = [text.index(mark) for mark in marks]
    assert places == sorted(places)


def test_numbers_of_receipts_link_to_the_receipt_that_holds_them(tmp_path: Path) -> None:
    folder = tmp_path / "race"
    result = a_race(folder)
    text = page.render("A race", [page.race_section(folder)])
    known = links_by_number(text)
    for trial in result.trials:
        receipt = json.loads((folder / trial.receipt).read_text())
        href = "#receipt-" + trial.run.removeprefix("trials/")
        means = {f"#receipts-{folder.name}-{side}" for side in SIDES}
        assert known[f"{trial.value:.3f}"] - means == {href}
        assert href in known[f"{receipt['spent']['train_seconds']:.3g}"]
        assert href in known[f"{receipt['spent']['samples']:,}"]
        assert href in known[str(receipt["spent"]["steps"])]
    assert known["1,604,352"] == {"#receipt-" + result.trials[i].run.removeprefix("trials/") for i in (0, 1)}
    group = f"#receipts-{folder.name}-idea"
    assert group in known["2.013"]
    for content, href in Reader(text).cells:
        assert href or not re.match(r"[\d.]+(?!.*×)", content), f"{content} stands without a source"


def test_links_of_a_page_lead_somewhere_on_it(tmp_path: Path) -> None:
    for name in ("one", "two <b>"):
        a_race(tmp_path / name)
    runs = [page.run_section(a_run(tmp_path / "runs" / name)) for name in ("a", "b")]
    sections = [page.race_section(tmp_path / "one"), *runs, page.text_section("It wrote", "Seed 0", "Once")]
    reader = Reader(page.render("All", sections))
    assert len(reader.ids) == len(set(reader.ids))
    targets = {link[1:] for link in reader.links if link.startswith("#")}
    assert targets <= set(reader.ids)
    assert {"receipt-a", "receipt-b"} <= targets


def test_a_section_given_twice_stands_once_and_a_namesake_is_refused(tmp_path: Path) -> None:
    own = page.run_section(a_run(tmp_path / "a"))
    reader = Reader(page.render("Twice", [own, own]))
    assert len(reader.ids) == len(set(reader.ids))
    with pytest.raises(UserError, match="rename one of the folders"):
        page.render("Namesakes", [own, page.run_section(a_run(tmp_path / "b" / "a", value=2.5))])


def test_two_texts_under_one_title_both_stand() -> None:
    text = page.render(
        "Texts", [page.text_section("It wrote", "Run a.", "one"), page.text_section("It wrote", "b", "two")]
    )
    assert "one</pre>" in text
    assert "two</pre>" in text


def test_the_floor_stands_among_the_sides_in_order(tmp_path: Path) -> None:
    for name, better in (("low", "lower"), ("high", "higher")):
        a_race(tmp_path / name, better=better)
        text = page.render("A race", [page.race_section(tmp_path / name)])
        floor = text[text.index("The floor") : text.index("What the same held-out")]
        values = [
            float(content) for content, _ in Reader(f"<table>{floor[floor.index('<tbody') :]}</div>"[:0] or "").cells
        ]
        values = [float(found) for found in re.findall(r">([\d.]+)</a></td>", floor)]
        assert values == sorted([2.013, 2.078, 3.702, 3.698, 2.391, 2.702], reverse=better == "higher")


def test_the_sweep_marks_what_was_chosen(tmp_path: Path) -> None:
    a_race(tmp_path / "race", chosen={"idea": 0.003, "rival": 0.0015})
    text = page.render("A race", [page.race_section(tmp_path / "race")])
    chosen = [content for content, _ in Reader(text).cells if "chosen" in content]
    assert [content.split()[0] for content in chosen] == ["2.360", "2.240"]


def test_a_folder_without_a_result_says_how_to_go_on(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="pennyweight race --resume"):
        page.race_section(tmp_path)


# --- the run section ---


def test_a_run_says_what_it_reached_and_whether_it_clears_its_floor(tmp_path: Path) -> None:
    better = a_run(tmp_path / "a")
    # 2.013 / 2.391 = 0.842
    assert plain(page.run_sentence(better)) == (
        "2.013 bits per byte on the test split (95 % bootstrap over 59 documents: 1.983 to 2.043) after 63.2 s of"
        " training. It clears its best floor: 16 % lower than byte trigrams (2.391)."
    )
    level = a_run(tmp_path / "level", value=2.37)
    assert page.run_sentence(level).endswith("Its best floor, byte trigrams (2.391), lies inside of that interval.")
    worse = a_run(tmp_path / "b", value=2.869)
    assert plain(page.run_sentence(worse)).endswith(
        "It does not clear its best floor: 20 % higher than byte trigrams (2.391)."
    )


def test_an_unfinished_run_says_so_and_how_to_resume_it(tmp_path: Path) -> None:
    run = a_run(tmp_path / "half", finished=False)
    text = page.render("A run", [page.run_section(run)])
    assert f"Go on with: pennyweight fit --resume {run.folder}" in text
    # 50 of 126 steps: 39.7 %, 25.0 s, 400 samples
    assert "Not finished: 40 % of 63 s is spent (25 s, 400 samples)." in plain(page.run_sentence(run))
    with run.locked():
        assert page.run_sentence(run).startswith("Still running: ")


def test_a_run_that_has_not_made_a_step_can_be_shown(tmp_path: Path) -> None:
    run = a_run(tmp_path / "new", finished=False)
    (run.folder / "metrics.jsonl").unlink()
    text = page.render("A run", [page.run_section(run)])
    assert "<svg" not in text
    assert "0 % of 63 s is spent (0 s, 0 samples)" in plain(text)


def test_a_receipt_shows_unknown_where_nothing_is_known(tmp_path: Path) -> None:
    assumed = page.render("A run", [page.run_section(a_run(tmp_path / "a"))])
    lines = dict(re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd>", assumed))
    # 65 W for 63.21 s
    assert (lines["energy"], lines["known from"], lines["money"], lines["CO2"]) == (
        "4,109 J",
        "assumed watts",
        "unknown",
        "unknown",
    )
    bare = page.render("A run", [page.run_section(a_run(tmp_path / "b", assumptions=Assumptions()))])
    lines = dict(re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd>", bare))
    assert (lines["energy"], lines["known from"]) == ("unknown", "no counter, no assumption")
    assert lines["sha256"] == "abababababab"


def test_a_race_is_told_from_a_run_by_its_configuration(tmp_path: Path) -> None:
    a_race(tmp_path / "race")
    write_json(tmp_path / "race" / "config.json", {"recipe": "race-par", "kind": "race"})
    assert page.section_of(Run(tmp_path / "race")).title == "Race: par"
    assert page.section_of(a_run(tmp_path / "run")).title == "Run: par/tiny"
    assert page.section_of(a_run(tmp_path / "par-tiny-20260101T000000Z-c3d4")).title == "Run: par/tiny (c3d4)"


# --- the document ---

HOSTILE = (
    """<script>alert(1)</script>"'&<img src=x onerror=alert(1)>]]>--><svg/onload=alert(1)>{{ 7*7 }}$x_1$ id="a" 日本"""
)


def test_hostile_text_stays_text_everywhere(tmp_path: Path) -> None:
    name = HOSTILE.replace("/", "")
    folder = tmp_path / name
    sides = {side: Side(name=f"{side} {HOSTILE}", settings={"pattern": HOSTILE}) for side in SIDES}
    a_race(
        folder,
        name=HOSTILE,
        claim=HOSTILE,
        metric=HOSTILE,
        sides=sides,
        data={"name": HOSTILE, "sha256": HOSTILE, "split": HOSTILE},
        notes=(HOSTILE,),
        baselines={HOSTILE: 2.2},
        tuned=HOSTILE,
    )
    run = a_run(tmp_path / "runs" / name[1:], notes=[HOSTILE], recipe=HOSTILE, baselines={HOSTILE: 2.5}, stack=HOSTILE)
    sections = [page.race_section(folder), page.run_section(run), page.text_section(HOSTILE, HOSTILE, HOSTILE)]
    text = page.render(HOSTILE, sections, lead=HOSTILE, facts={HOSTILE: HOSTILE})
    reader = Reader(text)
    assert not reader.tags & {"script", "img", "iframe", "object", "embed", "form", "foreignobject"}
    assert "49" not in reader.text.partition("{{")[0][:200]
    assert HOSTILE in reader.text
    assert {link[1:] for link in reader.links if link.startswith("#")} <= set(reader.ids)


def test_a_page_asks_nothing_of_a_network(tmp_path: Path) -> None:
    a_race(tmp_path / "race")
    sections = [page.race_section(tmp_path / "race"), page.run_section(a_run(tmp_path / "run"))]
    text = page.render("All", sections)
    for address in Reader(text).addresses:
        assert address.startswith("#") or address == "data:,"
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in text


def test_a_text_keeps_its_lines(tmp_path: Path) -> None:
    html = page.text_section("It wrote", "From seed 0.", "one\n  two <eos>").html
    assert "one\n  two &lt;eos&gt;</pre>" in html


def test_the_same_race_gives_the_same_bytes(tmp_path: Path) -> None:
    a_race(tmp_path / "race")
    first, second = (page.render("A race", [page.race_section(tmp_path / "race")]) for _ in range(2))
    assert first == second
