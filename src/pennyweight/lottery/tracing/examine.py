"""Everything that a traced program tells, as one document: its lines, its memory, findings, advice that was tried.

The document is plain data: the terminal, the page and ``--json`` show the same one, and none of them needs the tape.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from pennyweight.arrays.statistics import Estimate
from pennyweight.arrays.trace import clash as clashes
from pennyweight.arrays.trace.lints import find
from pennyweight.arrays.trace.look import Look
from pennyweight.arrays.trace.operations import Operation, Tape, Where, source_line
from pennyweight.arrays.trace.replay import Replayed
from pennyweight.arrays.trace.session import Session
from pennyweight.arrays.trace.tape import Value
from pennyweight.arrays.trace.words import line_sentence, operation_words
from pennyweight.core.cost import CostTable
from pennyweight.lottery.tracing.advice.proposals import propose
from pennyweight.lottery.tracing.advice.trial import Advice, try_all
from pennyweight.lottery.weighing.work import expected_seconds, steps_of

_TIMELINE_POINTS = 400
_AT_PEAK = 8
_ADVICE_SHARE, _ADVICE_SECONDS, _ADVICE_BYTES = 0.02, 1e-3, 1 << 20
"""Part of the time of all array operations, seconds, bytes: what would save less is not worth the reader's time."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """An array in a picture: its shape, and what became of it (``input``, ``view``, ``copy``, ``new``, ...)."""

    shape: tuple[int, ...]
    role: str


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of source that works on arrays.

    Times are seconds of all its runs: ``first`` as the program ran, ``steady`` and ``cpu`` when its operations were
    played again. ``expected`` is what the weighed machine needs for such operations (None where it was not weighed).
    ``picture`` shows its main operation: the inputs, the result, and the sign between them.
    """

    path: str
    line: int
    source: str
    function: str
    runs: int
    operations: int
    first: float
    steady: float
    cpu: float
    share: float
    flops: float
    transcendental: float
    read: int
    written: int
    virtual: int
    views: int
    copies: int
    escapes: int
    pulls: int
    expected: float | None
    sentence: str
    picture: tuple[Box, ...] = ()
    sign: str = ""


@dataclass(frozen=True, kw_only=True)
class Held:
    """An array that was alive when most memory was in use."""

    bytes: int
    shape: tuple[int, ...]
    dtype: str
    line: int
    source: str


@dataclass(frozen=True, kw_only=True)
class Said:
    """A finding or a piece of advice as people read it."""

    kind: str
    path: str
    line: int
    source: str
    sentence: str
    seconds: float
    share: float
    bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A rewrite with what was measured: see `pennyweight.lottery.tracing.advice.trial.Advice`."""

    rewrite: str
    path: str
    line: int
    source: str
    advice: str
    time: Estimate
    seconds_before: float
    seconds_after: float
    bytes_before: int
    bytes_after: int
    error: float
    runs: int
    share: float


@dataclass(frozen=True, kw_only=True)
class Repaired:
    """Why shapes did not fit, and the repairs that worked."""

    path: str
    line: int
    source: str
    sentence: str
    repairs: tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True, kw_only=True)
class Examination:
    """What a program did with arrays.

    ``captured``: playing the tape again gave the program's own numbers; ``compared`` is how many were compared and
    ``worst`` the largest relative error. ``problems`` name what stands against believing the rest.
    """

    script: str
    function: str
    ending: str
    exit_code: int
    error: str
    error_line: int
    seconds: float
    operations: int
    captured: bool
    compared: int
    worst: float
    problems: tuple[str, ...]
    work: Mapping[str, float]
    read: int
    written: int
    virtual: int
    kinds: Mapping[str, int]
    array_seconds: float
    peak_bytes: int
    peak_line: int
    peak_source: str
    at_peak: tuple[Held, ...]
    timeline: tuple[tuple[int, int], ...]
    lines: tuple[Line, ...]
    findings: tuple[Said, ...]
    advice: tuple[Tried, ...]
    uncounted: Mapping[str, int]
    repaired: Repaired | None
    stack: str
    software: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def examine(
    session: Session,
    *,
    script: str,
    function: str = "",
    table: CostTable | None = None,
    advice_seconds: float = 20.0,
    software: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
) -> Examination:
    """Look at a program that was run under trace: play its tape, find, advise, and put all of it in words."""
    tape = Tape(session.tape)
    look = Look(tape)
    findings = find(look) if not session.tape.fake else []
    tried = try_all(look, propose(look, findings), seconds=advice_seconds) if tape.captured and advice_seconds else []
    inside = tape.inside
    work = tape.work
    return Examination(
        script=script,
        function=function,
        ending=session.ending,
        exit_code=session.code,
        error=session.error,
        error_line=session.error_line,
        seconds=session.seconds,
        operations=len(inside),
        captured=tape.captured,
        compared=look.replayed.compared,
        worst=min(look.replayed.worst, 1e9),
        problems=tuple(_problems(tape, look.replayed)),
        work=asdict(work) | {"flops": work.flops},
        read=sum(op.read for op in inside),
        written=sum(op.written for op in inside),
        virtual=sum(op.virtual for op in inside),
        kinds=dict(Counter(op.kind for op in inside)),
        array_seconds=look.total_seconds if inside else 0.0,
        peak_bytes=tape.peak_bytes,
        peak_line=tape.operations[tape.peak].where.line if tape.operations else 0,
        peak_source=source_line(tape.operations[tape.peak].where) if tape.operations else "",
        at_peak=tuple(_held_at_peak(tape)),
        timeline=tuple(_thinned(tape.live_bytes)),
        lines=tuple(_lines(look, table)),
        findings=tuple(_said(look, findings)),
        advice=tuple(_tried(look, tried)),
        uncounted=dict(Counter(op.name for op in inside if not op.counted).most_common(12)),
        repaired=_repaired(session),
        stack=table.stack if table is not None else "",
        software=dict(software or {}),
        notes=tuple(notes),
    )


def _problems(tape: Tape, played: Replayed) -> list[str]:
    """What stands against believing the tape, each with its place."""
    told = []
    if tape.raw.full:
        told.append(f"recording ended after {len(tape.raw.entries):,} operations; what came later is not here")
    if played.stopped and not tape.raw.fake:
        where = tape.operations[played.stopped_at].where
        told.append(f"line {where.line} could not be played again: {played.stopped}")
    differing = [d for d in played.differences if d.error >= 1e-6]
    if differing:
        first = min(differing, key=lambda d: d.entry)
        op = tape.operations[first.entry]
        told.append(
            f"{len(differing)} of {played.compared} numbers came out otherwise when played again, first at line"
            f" {op.where.line} ({op.name}, {first.what}): memory was written where the tracer could not see it"
        )
    told += [f"line {where.line}: {what} cannot be followed" for where, what in tape.lost[:10]]
    return told


def _thinned(live: Sequence[int]) -> list[tuple[int, int]]:
    """At most so many points of a curve, each the highest of its stretch, so that no peak is lost."""
    if not live:
        return []
    step = max(1, -(-len(live) // _TIMELINE_POINTS))
    points = []
    for start in range(0, len(live), step):
        part = live[start : start + step]
        at = start + max(range(len(part)), key=part.__getitem__)
        points.append((at, live[at]))
    return points


def _held_at_peak(tape: Tape) -> list[Held]:
    """The largest buffers that were alive at the peak, and which line made each."""
    if not tape.operations:
        return []
    peak = tape.peak
    largest: dict[int, tuple[int, Value, Where]] = {}
    for op in tape.operations[: peak + 1]:
        for value in op.outs:
            buffer = value.buffer
            if buffer is None or buffer.number in largest or buffer.born > peak:
                continue
            if buffer.died is None or buffer.died > peak:
                largest[buffer.number] = (buffer.nbytes, value, op.where)
    chosen = sorted(largest.values(), key=lambda item: -item[0])[:_AT_PEAK]
    return [
        Held(
            bytes=nbytes,
            shape=value.shape,
            dtype=str(value.dtype).removeprefix("torch."),
            line=where.line,
            source=source_line(where),
        )
        for nbytes, value, where in chosen
        if nbytes
    ]


def _lines(look: Look, table: CostTable | None) -> list[Line]:
    """Every line that works on arrays, in the order of the source."""
    lines = []
    for (path, number), ops in sorted(look.by_site.items()):
        runs = look.runs[(path, number)]
        typical = max(runs, key=len)
        indices = [op.index for op in ops]
        main = max(typical, key=lambda op: (op.written, op.broadcasts, op.read))
        lines.append(
            Line(
                path=path,
                line=number,
                source=source_line(ops[0].where),
                function=ops[0].where.function,
                runs=len(runs),
                operations=len(ops),
                first=sum(op.seconds for op in ops),
                steady=look.spent(indices),
                cpu=sum(look.cpu_seconds[index] for index in indices),
                share=look.spent(indices) / look.total_seconds,
                flops=sum(op.work.flops for op in ops),
                transcendental=sum(op.work.transcendental for op in ops),
                read=sum(op.read for op in ops),
                written=sum(op.written for op in ops),
                virtual=sum(op.virtual for op in ops),
                views=sum(op.kind == "view" for op in ops),
                copies=sum(op.kind == "copy" for op in ops),
                escapes=sum(op.kind == "escape" for op in ops),
                pulls=sum(op.kind == "pull" for op in ops),
                expected=None if table is None else expected_seconds(steps_of(ops), table),
                sentence=line_sentence(typical),
                picture=_picture(main),
                sign=operation_words(main),
            )
        )
    return lines


def _picture(op: Operation) -> tuple[Box, ...]:
    ins = [Box(shape=value.shape, role="input") for value in op.ins if value.shape][:2]
    outs = [Box(shape=value.shape, role=op.kind) for value in op.outs[:1] if value.shape]
    return (*ins, *outs)


def _said(look: Look, findings: Sequence[Any]) -> list[Said]:
    return [
        Said(
            kind=finding.kind,
            path=finding.where.path,
            line=finding.where.line,
            source=source_line(finding.where),
            sentence=finding.sentence,
            seconds=finding.seconds,
            share=finding.seconds / look.total_seconds,
            bytes=finding.num_bytes,
        )
        for finding in findings
    ]


def _tried(look: Look, advice: Sequence[Advice]) -> list[Tried]:
    """Advice that saves something in the program as a whole, or memory at its peak."""
    kept = []
    peak = look.tape.peak_bytes
    for one in advice:
        saved = (one.seconds_before - one.seconds_after) * one.runs
        share = saved / look.total_seconds
        smaller = one.bytes_before - one.bytes_after > max(0.1 * peak, _ADVICE_BYTES)
        if (share < _ADVICE_SHARE or saved < _ADVICE_SECONDS) and not smaller:
            continue
        kept.append(
            Tried(
                rewrite=one.rewrite,
                path=one.where.path,
                line=one.where.line,
                source=source_line(one.where),
                advice=one.advice,
                time=one.time,
                seconds_before=one.seconds_before,
                seconds_after=one.seconds_after,
                bytes_before=one.bytes_before,
                bytes_after=one.bytes_after,
                error=one.error,
                runs=one.runs,
                share=min(1.0, max(0.0, share)),
            )
        )
    return kept


def _repaired(session: Session) -> Repaired | None:
    told = clashes.explain(session.clash) if session.clash is not None else None
    if told is None:
        return None
    return Repaired(
        path=told.where.path,
        line=told.where.line,
        source=source_line(told.where),
        sentence=told.sentence,
        repairs=told.repairs,
    )
