"""reStructuredText as text. Includes and raw parts are refused; what only Sphinx knows is read for its content."""

import re
from itertools import takewhile
from typing import Any

from docutils import nodes
from docutils.core import publish_doctree
from docutils.parsers.rst import Directive, directives, roles

from pennyweight.data.documents.markup import Read
from pennyweight.data.documents.writing import TextWriter

_DIRECTIVE = re.compile(r"^[ \t]*\.\.[ \t]+(?:\|[^|\n]+\|[ \t]+)?([A-Za-z][\w:.+-]*)::", re.MULTILINE)
_ROLE = re.compile(r"(?::([A-Za-z][\w:.+-]*):`|`:([A-Za-z][\w:.+-]*):)")
_OPTION = re.compile(r":[A-Za-z][\w-]*:")
_SETTINGS = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "report_level": 5,
    "halt_level": 5,
    "input_encoding": "unicode",
    "smart_quotes": False,
    "doctitle_xform": False,
    "docinfo_xform": False,
    "line_length_limit": 1 << 30,
}
_LEFT_OUT = (nodes.comment, nodes.system_message, nodes.substitution_definition, nodes.raw, nodes.target, nodes.pending)
_TARGET = re.compile(r"\s*<[^<>]*>\Z")


class _Known(Directive):
    """A directive that docutils does not know: its arguments, then its content, as if nothing stood around them."""

    optional_arguments = 1000
    has_content = True
    option_spec = None

    def run(self) -> list[nodes.Node]:
        found: list[nodes.Node] = []
        told = " ".join(takewhile(lambda word: not _OPTION.fullmatch(word), self.arguments))
        if told:
            found.append(nodes.paragraph("", "", nodes.Text(told)))
        holder = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, holder)
        return [*found, *holder.children]


def read_restructured(source: str) -> Read:
    """A text's title (its first section), what it says, and its sections."""
    _learn(source)
    tree = publish_doctree(source, settings_overrides=_SETTINGS)
    writer = TextWriter()
    _write(tree, writer)
    writer.close_heading()
    headings = tuple(writer.headings)
    return headings[0].text if headings else "", writer.text, headings


def _learn(source: str) -> None:
    """Make docutils know every directive and role that is written, so that none takes its content with it."""
    for name in {match[1].lower() for match in _DIRECTIVE.finditer(source)}:
        if name not in {*directives._directives, *directives._directive_registry}:  # type: ignore[attr-defined]
            directives.register_directive(name, _Known)
    for name in {(match[1] or match[2]).lower() for match in _ROLE.finditer(source)}:
        if name not in {*roles._roles, *roles._role_registry}:  # type: ignore[attr-defined]
            roles.register_local_role(name, _role)  # type: ignore[arg-type]


def _role(
    name: str, rawtext: str, text: str, lineno: int, inliner: Any, options: Any = None, content: Any = None
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    # ``:ref:`what is shown <where it leads>``` shows the first.
    return [nodes.Text(_TARGET.sub("", nodes.unescape(text)).removeprefix("~").removeprefix("!"))], []


def _write(tree: nodes.Node, writer: TextWriter) -> None:
    """Depth first, with a stack of our own: no depth of nesting matters."""
    level = 0
    waiting: list[tuple[nodes.Node | None, str]] = [(tree, "")]
    while waiting:
        node, what = waiting.pop()
        if what == "section":
            level -= 1
        elif what == "heading":
            writer.close_heading()
        elif what:
            writer.part(what)
        if node is None or isinstance(node, _LEFT_OUT):
            continue
        if isinstance(node, nodes.Text):
            writer.write(node.astext())
            continue
        if isinstance(node, nodes.literal_block | nodes.doctest_block):
            writer.part("\n\n")
            writer.write_exactly(node.astext())
            writer.part("\n\n")
            continue
        if isinstance(node, nodes.section):
            level += 1
            waiting.append((None, "section"))
        elif isinstance(node, nodes.title | nodes.rubric):
            writer.open_heading(max(1, level))
            waiting.append((None, "heading"))
        elif parted := _parted(node):
            writer.part(parted)
            waiting.append((None, parted))
        waiting += [(child, "") for child in reversed(node.children)]


def _parted(node: nodes.Node) -> str:
    if isinstance(node, nodes.entry):
        return "\t"
    if isinstance(node, nodes.line | nodes.list_item | nodes.row | nodes.term | nodes.field | nodes.option_list_item):
        return "\n"
    if isinstance(node, nodes.paragraph) and isinstance(node.parent, nodes.list_item | nodes.entry | nodes.field_body):
        return "\n" if node.parent.index(node) else ""
    return "\n\n" if isinstance(node, nodes.Body | nodes.Structural) else ""
