"""``trace``: run an array program and show what each line costs and why."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from pennyweight.console import Output
from pennyweight.core.budget import Budget
from pennyweight.core.errors import UserError, WorkFailed
from pennyweight.core.files import write_json
from pennyweight.core.recipe import to_document
from pennyweight.core.run import Run
from pennyweight.lottery.tracing.examine import Examination, Tried
from pennyweight.lottery.tracing.program import Request, run_traced
from pennyweight.report.trace import beside_expected, load_examination
from pennyweight.report.words import moment, number, percent, plain, size, work
from pennyweight.verbs.report import write_page
from pennyweight.verbs.request import Place, require_writable

_LINES = 12
_SENTENCES = 5
EXAMPLE = "palette.py"


def run(
    output: Output,
    place: Place,
    *,
    script: str,
    arguments: Sequence[str],
    function: str,
    limit: str,
    advice: str,
    fake: bool,
    subclass: bool,
) -> None:
    """Trace a script, print what it cost, and write the page."""
    require_writable(place.runs)
    asked = Request(
        script=script or example(),
        arguments=tuple(arguments),
        function=function,
        seconds=_seconds("--limit", limit),
        advice_seconds=_seconds("--advice", advice) if advice != "0s" else 0.0,
        subclass=subclass,
        fake=fake,
        cache=str(place.cache),
    )
    if not script:
        output.aside("no script given: tracing the example, k-means over the colours of a photograph")
    folder = trace_program(place, asked, quiet=output.as_json)
    found = load_examination(folder)
    page = write_page([folder], folder / "report.html")
    _show(output, found)
    output.say(f"page: {page}")
    output.done(
        result=to_document(found) | {"page": str(page)},
        runs=[folder],
        status="done" if found.ending in ("done", "exited") else "failed",
        next_command=_next(found),
    )
    if found.ending not in ("done", "exited") or found.exit_code:
        raise WorkFailed(_ended(found))


def trace_program(place: Place, asked: Request, *, quiet: bool) -> Path:
    """Run a program under trace and keep what it told in a folder of its own."""
    found = run_traced(asked, quiet=quiet)
    if found.ending == "syntax":
        raise UserError(f"{asked.script}, line {found.error_line}: {found.error}", expected="a program that compiles")
    document = {"kind": "trace", "script": asked.script, "function": asked.function}
    folder = Run.create(place.runs, f"trace-{Path(asked.script).stem}", document).folder
    write_json(folder / "examination.json", to_document(found))
    return folder


def example() -> str:
    """The path of the program that is traced when none is given."""
    return str(resources.files("pennyweight.examples") / EXAMPLE)


def _seconds(option: str, text: str) -> float:
    budget = Budget.parse(text)
    if budget.seconds is None or budget != Budget(seconds=budget.seconds):
        raise UserError(f"{option} {text!r}", expected="a time, such as 60s")
    return budget.seconds


def _ended(found: Examination) -> str:
    if found.ending == "time limit":
        return (
            f"{found.script} was stopped at its time limit; what is shown covers what it had done (more with --limit)"
        )
    if found.ending == "raised":
        return f"{found.script}, line {found.error_line}: {found.error}"
    return f"{found.script} ended with exit code {found.exit_code}"


def _next(found: Examination) -> str:
    """Weigh the machine where that was not done; else race the ways of computing it."""
    return "pennyweight lottery" if found.stack else "pennyweight weigh"


# --- for people ---


def _show(output: Output, found: Examination) -> None:
    output.say()
    if not found.operations:
        output.say(_nothing(found))
        for note in found.problems:
            output.say(f"note: {note}")
        return
    output.say(plain(summary(found)))
    output.say(plain(trust(found)))
    output.say()
    _show_lines(output, found)
    _show_memory(output, found)
    for said in found.findings:
        output.say(plain(f"line {said.line}, {said.kind}: {said.sentence}"))
    for tried in found.advice:
        output.say(plain(f"line {tried.line}, tried: {tried_sentence(tried)}"))
    if not found.findings and not found.advice:
        output.say("nothing found that costs for nothing")
    if found.repaired is not None:
        output.say(f"line {found.repaired.line}: {found.repaired.sentence}")
        for text, shape in found.repaired.repairs:
            output.say(f"  {text} works and gives {tuple(shape)}")
    for note in (*found.problems, *found.notes):
        output.say(f"note: {note}")


def _nothing(found: Examination) -> str:
    if found.function:
        return f"{found.function} was not called, or did nothing with arrays (names are as in Class.method)"
    return "no operation on an array of NumPy or torch was seen in the program's own source"


def summary(found: Examination) -> str:
    """One sentence: how many operations, how much was moved and computed, the most memory."""
    return (
        f"{found.operations:,} operations in {moment(found.array_seconds)}: {work(found.work['flops'])},"
        f" {size(found.read)} read, {size(found.written)} written, at most {size(found.peak_bytes)} alive at once"
        f" (line {found.peak_line})"
    )


def trust(found: Examination) -> str:
    """Whether the tape may be believed."""
    if found.captured:
        equal = "equal to the bit" if found.worst == 0 else f"equal to {found.worst:.0e}"
        return f"captured: played again, {found.compared:,} numbers that left the arrays came out {equal}"
    return "not captured: " + ("; ".join(found.problems) or "nothing could be compared")


def _show_lines(output: Output, found: Examination) -> None:
    costly = sorted(found.lines, key=lambda line: -line.share)[:_LINES]
    rows = [("line", "of time", "runs", "time", "moved", "work", "x expected", "source")]
    rows += [
        (
            str(line.line),
            percent(line.share),
            f"{line.runs:,}",
            moment(line.steady),
            size(line.read + line.written),
            work(line.flops),
            beside_expected(line),
            line.source,
        )
        for line in costly
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for row in rows:
        output.say(plain("  ".join([*(cell.rjust(w) for cell, w in zip(row, widths, strict=False)), row[-1]])))
    output.say()
    for line in costly[:_SENTENCES]:
        output.say(plain(f"line {line.line}: {line.sentence}"))
    output.say()


def _show_memory(output: Output, found: Examination) -> None:
    held = ", ".join(f"{size(h.bytes)} {tuple(h.shape)} of line {h.line}" for h in found.at_peak[:4])
    if held:
        output.say(plain(f"memory: {size(found.peak_bytes)} at line {found.peak_line}: {held}"))


def tried_sentence(tried: Tried) -> str:
    """A rewrite with its measured time, bytes and error."""
    ratio = tried.time
    error = "equal to the bit" if tried.error == 0 else f"error {tried.error:.0e}"
    memory = f", memory {size(tried.bytes_before)} to {size(tried.bytes_after)}" if tried.bytes_before > 1e5 else ""
    return (
        f"{tried.rewrite}: {number(ratio.value)}× the time ({number(ratio.low)} to {number(ratio.high)}),"
        f" {moment(tried.seconds_before)} to {moment(tried.seconds_after)}{memory}, {error}. {tried.advice}"
    )
