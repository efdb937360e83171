"""Documents that every machine already has: the documentation strings of the running Python's standard library.

A module is a document; what is defined in it stands under a heading with its signature.
"""

import ast
import warnings
from collections.abc import Iterator

from pennyweight.data.builtin import standard_library_documents
from pennyweight.data.documents.document import Document, Heading
from pennyweight.data.documents.writing import TextWriter

_Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def python_documents() -> Iterator[tuple[str, bytes]]:
    """The key (``json/decoder``) and the source of every module, sorted."""
    for path, content in standard_library_documents():
        yield path.removesuffix(".py").removesuffix("/__init__"), content


def documentation(key: str, source: bytes) -> Document | None:
    """What a module says of itself; None where it says nothing, or is no Python of this version."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return None
    name = key.replace("/", ".")
    writer = TextWriter()
    _heading(writer, 1, name)
    told = _told(writer, tree)
    for where, node in _definitions(tree):
        if ast.get_docstring(node):
            _heading(writer, 2 + where.count("."), f"{name}.{where}{_signature(node)}")
            told |= _told(writer, node)
    if not told:
        return None
    headings: tuple[Heading, ...] = tuple(writer.headings)
    return Document(key=key, title=name, text=writer.text, headings=headings)


def _told(writer: TextWriter, node: ast.Module | _Definition) -> bool:
    text = ast.get_docstring(node) or ""
    writer.write_exactly(text.strip())
    writer.part("\n\n")
    return bool(text.strip())


def _heading(writer: TextWriter, level: int, text: str) -> None:
    writer.open_heading(level)
    writer.write(text)
    writer.close_heading()


def _definitions(tree: ast.Module | ast.ClassDef, inside: str = "") -> Iterator[tuple[str, _Definition]]:
    """Functions and classes with their names inside of the module, in order; what is hidden is left out."""
    for node in tree.body:
        if isinstance(node, _Definition) and not node.name.startswith("_"):
            yield f"{inside}{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from _definitions(node, f"{inside}{node.name}.")


def _signature(node: _Definition) -> str:
    return "" if isinstance(node, ast.ClassDef) else f"({ast.unparse(node.args)})"
