"""``ask``: the passages of an index that answer a question best, and why each was found."""

import textwrap
from pathlib import Path

from pennyweight.console import Output
from pennyweight.core.errors import UserError
from pennyweight.core.recipe import to_document
from pennyweight.methods.qa.index.build import update
from pennyweight.methods.qa.index.generation import Generation
from pennyweight.methods.qa.index.layout import current, index_folder, known_indexes
from pennyweight.methods.qa.index.sources import PythonDocs
from pennyweight.methods.qa.retrieve import Found, Hit, retrieve
from pennyweight.report.words import plain
from pennyweight.verbs.index import DEFAULT_NAME

QUESTION = "Which function joins two paths?"
MOST_CHARACTERS = 2000
_WIDTH = 100


def run(output: Output, indexes: Path, *, question: str, index: str, top: int) -> None:
    """Print the best passages for a question."""
    asked = question.strip() or QUESTION
    if len(asked) > MOST_CHARACTERS:
        raise UserError(f"a question of {len(asked):,} characters", expected=f"at most {MOST_CHARACTERS:,}")
    if not 1 <= top <= 100:
        raise UserError(f"--top {top}", expected="1 to 100")
    name = index or _only(indexes)
    if name == DEFAULT_NAME and name not in known_indexes(indexes):
        output.aside("no index yet: indexing the documentation of this Python")
        with output.progress() as meter:
            update(index_folder(indexes, name), PythonDocs(), report=meter.show)
    opened = Generation(current(index_folder(indexes, name)))
    found = retrieve(opened, asked, most=top)
    _show(output, found, name)
    hits = [{**to_document(hit), "marks": hit.marks()} for hit in found.hits]
    result = {"index": name, **to_document(found), "hits": hits}
    output.done(result=result, next_command="pennyweight index FOLDER")


def _only(indexes: Path) -> str:
    """The index to ask where none is named."""
    known = known_indexes(indexes)
    if len(known) > 1:
        raise UserError(
            f"{len(known)} indexes in {indexes}", expected="--index NAME", hint=f"one of {', '.join(known)}"
        )
    return known[0] if known else DEFAULT_NAME


def _show(output: Output, found: Found, name: str) -> None:
    output.say(f"{found.question}")
    output.say()
    for place, hit in enumerate(found.hits, 1):
        output.say(f"{place}. {_where(hit)}")
        for line in textwrap.wrap(" ".join(hit.text.split()), _WIDTH, max_lines=3, placeholder=" …"):
            output.say(f"   {line}")
        output.say(plain(f"   {why(hit)}"))
        output.say()
    if not found.hits:
        output.say(f"nothing in {name} has any of the words that were searched for")
    if found.unknown:
        output.say(f"in no passage: {', '.join(found.unknown)}")
    if found.left_out and found.hits:
        output.say(f"not searched for, since any question has them: {', '.join(dict.fromkeys(found.left_out))}")


def why(hit: Hit) -> str:
    """The score as the sum that it is."""
    parts = " + ".join(f"{reason.word} {reason.adds:.2f}" for reason in hit.reasons)
    first = hit.reasons[0]
    often = "once" if first.count == 1 else f"{first.count} times"
    return f"{hit.score:.2f} = {parts}; {first.word} stands here {often}, in {first.passages:,} passages in all"


def _where(hit: Hit) -> str:
    page = f", page {hit.page}" if hit.page else ""
    above = " › ".join(part for part in hit.above if part != hit.title)
    return f"{hit.document}{page}{' › ' if above else ''}{above}"
