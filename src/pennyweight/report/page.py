"""Pages made from runs and races: one HTML document that needs no network and no script.

A page is sections, a section is pieces (`pieces`), and a piece is plain data made from a race (`race`) or from
a run (`run`). Numbers link to the receipt that they come from.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

import pennyweight
from pennyweight.core.errors import UserError
from pennyweight.core.run import Run
from pennyweight.report.lottery import lottery_section
from pennyweight.report.pieces import Section, environment
from pennyweight.report.race import race_section
from pennyweight.report.run import run_section
from pennyweight.report.search import search_section
from pennyweight.report.trace import trace_section


def render(title: str, sections: Sequence[Section], *, lead: str = "", facts: Mapping[str, str] | None = None) -> str:
    """One self-contained HTML document: styles and drawings inline, no script, no request to any network.

    ``lead`` is a sentence under the title, ``facts`` labels and values under that. A section given twice
    stands once; two that differ and share an anchor raise `UserError`.
    """
    templates = environment()
    by_anchor: dict[str, Section] = {}
    for one in sections:
        if by_anchor.setdefault(one.anchor, one) != one:
            raise UserError(
                f"two different sections with the anchor {one.anchor!r}",
                expected="runs and races with names of their own",
                hint="rename one of the folders",
            )
    return templates.get_template("page.html").render(
        title=title,
        sections=list(by_anchor.values()),
        lead=lead,
        facts=dict(facts or {}),
        css=Markup(templates.get_template("page.css").render()),
        version=pennyweight.__version__,
    )


def section_of(run: Run) -> Section:
    """The section of what lies in a folder of runs: a race, a traced program, a lottery or a run."""
    made = _SECTIONS.get(str(run.document.get("kind")))
    return run_section(run) if made is None else made(run.folder)


_SECTIONS: Mapping[str, Callable[[Path], Section]] = {
    "race": race_section,
    "trace": trace_section,
    "lottery": lottery_section,
    "search": search_section,
}
