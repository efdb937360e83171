"""A receipt as lines for people, grouped as its JSON is, with that JSON below them."""

from collections.abc import Mapping
from typing import Any

from pennyweight.report.pieces import Record, readable, receipt_link
from pennyweight.report.words import amount, duration, listed, number, score, size


def receipt_record(receipt: Mapping[str, Any], *, name: str, title: str) -> Record:
    """A receipt to be unfolded, with the anchor ``receipt-<name>``: ``receipt`` is what receipt.json holds."""
    spent, result, machine = receipt["spent"], receipt["result"], receipt["machine"]
    estimates = receipt["estimates"]
    accounts = [
        (label, duration(spent[key]))
        for label, key in (
            ("training", "train_seconds"),
            ("  of which lost to interruptions", "lost_seconds"),
            ("validation", "validation_seconds"),
            ("saving", "saving_seconds"),
            ("calibration", "calibration_seconds"),
        )
        if spent[key] or key != "lost_seconds"
    ]
    accounts += [
        ("steps", number(spent["steps"])),
        ("samples", number(spent["samples"])),
        ("peak memory", size(spent["peak_bytes"])),
    ]
    scored = [
        (result["metric"], score(result["value"])),
        (result["interval"], f"{score(result['low'])} to {score(result['high'])}"),
        *((label, score(value)) for label, value in result["details"].items()),
    ]
    where = [("stack", receipt["stack"])]
    where += [(key.replace("_", " "), _machine(key, value)) for key, value in machine.items() if value not in ("", {})]
    groups = [
        (
            "asked",
            [("budget", amount(receipt["asked"])), ("recipe", receipt["recipe"]), ("seed", str(receipt["seed"]))],
        ),
        ("spent", accounts),
        ("energy", _estimates(estimates)),
        ("on", where),
        ("data", [(key, value[:12] if key == "sha256" else value) for key, value in receipt["data"].items()]),
        ("result", [*scored, ("parameters", number(receipt["parameters"]))]),
        ("floor", [(label, score(value)) for label, value in receipt["baselines"].items()]),
        ("notes", [("", text) for text in receipt["notes"]]),
    ]
    return Record(
        anchor=receipt_link(name)[1:],
        title=title,
        name=name,
        groups=[(group, lines) for group, lines in groups if lines],
        raw=readable(receipt),
    )


def _estimates(estimates: Mapping[str, Any]) -> list[tuple[str, str]]:
    def known(value: float | str, unit: str) -> str:
        return value if isinstance(value, str) else f"{number(value)} {unit}".strip()

    return [
        ("energy", known(estimates["joules"], "J")),
        ("known from", estimates["joules_from"]),
        ("money", known(estimates["money"], "")),
        ("CO2", known(estimates["co2_grams"], "g")),
    ]


def _machine(key: str, value: Any) -> str:
    if key == "memory_bytes":
        return size(value)
    return listed(value) if isinstance(value, Mapping) else str(value)
