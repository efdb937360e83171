"""The section of a traced program: its lines and their cost, where its memory went, what could be done, the proof."""

from collections import defaultdict
from pathlib import Path

from pennyweight.core.recipe import from_document
from pennyweight.core.run import read_document
from pennyweight.lottery.tracing.examine import Examination, Held, Line, Tried
from pennyweight.report.memory import live_bytes
from pennyweight.report.pictures import picture
from pennyweight.report.pieces import (
    Banner,
    Cell,
    Facts,
    Group,
    Listed,
    Listing,
    Notes,
    Piece,
    Section,
    Table,
    Tile,
    Tiles,
    drawing,
    section,
    slug,
    titled,
    whole_document,
)
from pennyweight.report.words import moment, number, percent, score, size, work

_CONTEXT_SHARE = 0.002
"""Of the time: lines that take less are listed without their picture."""
_UNREMARKABLE = 2.0
"""The roofline knows no better than this."""


def load_examination(folder: Path) -> Examination:
    """What a traced program told, from its folder."""
    return from_document(Examination, read_document(folder / "examination.json"))


def trace_section(folder: Path) -> Section:
    """A traced program: whether it was captured, its figures, memory, lines, findings, advice, the document."""
    found = load_examination(folder)
    anchor = slug(folder.name)
    record = f"#record-{anchor}"
    pieces: list[Piece] = [_verdict(found)]
    if found.operations:
        pieces += [_tiles(found, record), *_advice(found, record), *_findings(found)]
        pieces.append(_listing(found))
        pieces += drawing(
            lambda width: live_bytes(
                found.timeline, peak_line=found.peak_line, operations=found.timeline[-1][0], width=width, key=anchor
            ),
            "Bytes of all arrays that were alive during each operation, from the first to the last. NumPy's reuse of"
            " temporaries within an expression is taken into account.",
        )
        pieces += _at_peak(found, record)
    pieces += _clash(found)
    said = [*found.problems, *found.notes, *_uncounted(found)]
    if said:
        pieces.append(Notes(items=said))
    pieces.append(_software(found))
    pieces.append(whole_document("The document", folder, "examination.json", anchor))
    return section(titled(f"Traced: {Path(found.script).name}", folder), folder.name, pieces)


def _verdict(found: Examination) -> Banner:
    if found.captured:
        exact = "equal to the bit" if found.worst == 0 else f"equal to {found.worst:.0e} of the largest magnitude"
        sentence = (
            f"All of it was captured: played again operation by operation, the {found.compared:,} numbers and arrays"
            f" that left the program came out {exact}."
        )
        return Banner(label="Captured", sentence=sentence, tone="idea", more=_ending(found))
    reason = "; ".join(found.problems) or "no operation on an array was seen"
    return Banner(
        label="Not captured", sentence=f"What follows is no proof: {reason}.", tone="rival", more=_ending(found)
    )


def _ending(found: Examination) -> list[str]:
    if found.ending == "done":
        return []
    told = {
        "raised": f"The program ended by an error at line {found.error_line}: {found.error}",
        "time limit": "The program was stopped at its time limit; what follows covers what it had done.",
        "exited": f"The program ended itself with exit code {found.exit_code}.",
    }
    return [told.get(found.ending, found.ending)]


def _tiles(found: Examination, record: str) -> Tiles:
    kinds, flops, moved = found.kinds, found.work["flops"], found.read + found.written
    changed = f"{kinds.get('copy', 0):,} copies, {kinds.get('in place', 0):,} in place"
    told = [
        ("time in array operations", moment(found.array_seconds), f"{found.operations:,} operations"),
        ("most memory at once", size(found.peak_bytes), f"line {found.peak_line}"),
        ("moved", size(moved), f"{size(found.read)} read, {size(found.written)} written"),
        ("floating-point work", work(flops), f"{number(flops / max(1, moved), 2)} a byte"),
        ("views", f"{kinds.get('view', 0):,}", changed),
        ("duplicated by broadcasting", size(found.virtual), "without copying"),
    ]
    return Tiles(tiles=[Tile(label=label, value=Cell(value, record, "", note)) for label, value, note in told])


def _advice(found: Examination, record: str) -> list[Piece]:
    """Rewrites that were tried and found better."""
    if not found.advice:
        return []
    rows = [
        [
            Cell(f"line {one.line}: {one.rewrite}", record, "idea"),
            Cell(f"{score(one.time.value, 3)}×", "", "chosen", f"{score(one.time.low, 3)}–{score(one.time.high, 3)}"),
            Cell(f"{size(one.bytes_before)} → {size(one.bytes_after)}"),
            Cell("equal" if one.error == 0 else f"{one.error:.0e}"),
            Cell(percent(one.share)),
        ]
        for one in found.advice
    ]
    time, saves = Cell("time", note="95 % interval"), Cell("saves", note="of all")
    columns = [Cell("rewrite"), time, Cell("memory"), Cell("error"), saves]
    return [
        Table(
            caption="Advice that was tried",
            columns=columns,
            groups=[Group(rows=rows)],
            below="Each was run on the program's own arrays, in turns with what the program does; what was not measured"
            " to be faster or smaller is not shown. The error is relative to the largest magnitude.",
        ),
        Facts(title="What to write", items=[(f"line {one.line}", _to_write(one)) for one in found.advice]),
    ]


def _to_write(one: Tried) -> str:
    return f"{one.advice} ({moment(one.seconds_before)} → {moment(one.seconds_after)} a run)"


def _findings(found: Examination) -> list[Piece]:
    if not found.findings:
        return []
    items = [
        (f"line {one.line}, {one.kind}", f"{one.sentence} ({percent(one.share)} of the time)") for one in found.findings
    ]
    return [Facts(title="Findings", items=items)]


def _listing(found: Examination) -> Listing:
    """The program's lines in their order, each with what it does."""
    remarks: dict[tuple[str, int], list[str]] = defaultdict(list)
    for one in found.findings:
        remarks[(one.path, one.line)].append(one.kind)
    longest = max((line.share for line in found.lines), default=1.0) or 1.0
    return Listing(
        title="Line by line",
        below="Bars: parts of the time of all array operations, which were played again for it. Expected is what this"
        " machine needs for such operations by its cost table; it is told where a line takes more than twice that.",
        rows=[
            Listed(
                number=str(line.line),
                source=line.source,
                sentence=line.sentence,
                figures=_figures(line),
                share=line.share / longest,
                picture=picture(line.picture, line.sign) if line.share > _CONTEXT_SHARE else "",
                remarks=remarks.get((line.path, line.line), []),
            )
            for line in found.lines
        ],
    )


def _figures(line: Line) -> str:
    told = [percent(line.share), moment(line.steady)]
    if line.runs > 1:
        told.append(f"{line.runs:,} runs")
    if line.read + line.written:
        told.append(f"{size(line.read + line.written)} moved")
    if line.flops:
        told.append(work(line.flops))
    if slow := beside_expected(line):
        told.append(f"{slow}× the expected time")
    return " · ".join(told)


def beside_expected(line: Line) -> str:
    """A line's time over what the weighed machine needs for such operations, where that is more than twice as much."""
    if not line.expected or line.steady <= _UNREMARKABLE * line.expected:
        return ""
    return number(line.steady / line.expected, 2)


def _at_peak(found: Examination, record: str) -> list[Piece]:
    if not found.at_peak:
        return []
    rows = [
        [Cell(f"line {one.line}", record, "", one.source), *map(Cell, (size(one.bytes), _shape(one), one.dtype))]
        for one in found.at_peak
    ]
    columns = [Cell("made at"), Cell("bytes"), Cell("shape"), Cell("type")]
    return [Table(caption="What was alive at the peak", columns=columns, groups=[Group(rows=rows)])]


def _shape(held: Held) -> str:
    return str(tuple(held.shape))


def _clash(found: Examination) -> list[Piece]:
    told = found.repaired
    if told is None:
        return []
    items = [("what clashes", told.sentence)]
    items += [(text, f"works, and gives {tuple(shape)}") for text, shape in told.repairs]
    return [Facts(title=f"Why line {told.line} failed", items=items)]


def _uncounted(found: Examination) -> list[str]:
    if not found.uncounted:
        return []
    names = ", ".join(f"{name} ({count})" for name, count in found.uncounted.items())
    return [f"the work of these is not known and not in the FLOPs: {names}"]


def _software(found: Examination) -> Facts:
    items = [("script", found.script)] + ([("function", found.function)] if found.function else [])
    items += [(key.replace("_", " "), value) for key, value in found.software.items()]
    if found.stack:
        items.append(("compared with", found.stack))
    return Facts(title="On what", items=items)
