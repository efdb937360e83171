"""How a program's own source is compiled for tracing: each call in it goes by way of the recorder.

Protocols alone see what ducks are asked to do. They do not see arrays being born (``np.zeros``), nor come back from
another library (``gaussian_filter(x)`` gives a plain array, and all after it would be lost), and on Python 3.11 a
class cannot hand out its buffer (``hashlib.sha256(x)`` would fail). A call, written ``f(x)`` in the user's source,
is the border where all of that passes; so ``f(x)`` is compiled as ``back(way(f)(x))``. For a function of NumPy or of
another library its way leads by the recorder; for the program's own functions and Python's it is the function itself,
called from the line that calls it, so that whoever looks at his caller (a warning, a logger, ``namedtuple``) sees what
he would see without us. Nothing else is changed, and no file is written.
"""

import ast
import builtins
import functools
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import sys
import sysconfig
from collections.abc import Callable, Generator
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from pennyweight.arrays.trace.iteration import Iteration
from pennyweight.arrays.trace.recorder import Recorder

WAY = "__pennyweight_way__"
BACK = "__pennyweight_back__"
SPAN = "__pennyweight_span__"
PLAIN = "__pennyweight_plain__"
# These look at the frame that calls them, and nothing that they give is an array.
_DIRECT = frozenset({"super", "locals", "globals", "vars", "dir", "eval", "exec", "breakpoint", "__import__"})
# Of NumPy, but with an effect besides the result, or with a result that differs each time.
_ONCE = frozenset(
    {
        "save", "savez", "savez_compressed", "savetxt", "load", "loadtxt", "genfromtxt", "fromfile", "memmap",
        "open_memmap", "fromregex", "fromiter", "frombuffer", "fromstring", "array2string", "array_repr", "array_str",
        "seterr", "setbufsize", "set_printoptions", "info", "show_config", "test", "nditer", "nested_iters",
        "ndarray", "tofile", "dump", "dumps", "write_array", "read_array",
    }
)  # fmt: skip
# Standard library modules whose functions read an array's memory.
_READERS = frozenset(
    {"hashlib", "_hashlib", "_blake2", "_sha1", "_sha2", "_sha256", "_sha512", "_sha3", "_md5", "zlib", "binascii",
     "base64", "struct", "_struct", "io", "_io", "array", "statistics", "json", "socket", "_socket", "mmap", "bz2",
     "lzma", "_bz2", "_lzma", "ctypes", "_ctypes", "wave", "random"}
)  # fmt: skip
_READING_TYPES = (memoryview, bytes, bytearray)
_DISPATCHED = type(np.sum)
_CALLED_BACK = "(vectorized)"  # what `np.frompyfunc` adds to the name of a function
_PASS, _NUMPY, _OUTSIDE = range(3)
Way = Callable[..., Any]


class Ways:
    """The way that each call of a program's own source takes: see the module."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._known: dict[Any, int | Way] = {}

    def way(self, function: Any, /) -> Way:
        """What shall be called in the place of a function."""
        kind = type(function)
        if kind is FunctionType:
            key: Any = function.__code__
        elif kind is MethodType:
            if type(function.__self__) is self._recorder.kind:
                return function  # type: ignore[no-any-return]  # a duck's own method writes by itself
            key = function.__func__
        elif kind is BuiltinFunctionType:
            owner = function.__self__
            # A method is decided by its owner's class and its name: it is a new object each time.
            if owner is None or isinstance(owner, ModuleType):
                key = function
            else:
                key = (owner if isinstance(owner, type) else type(owner), function.__name__)
        elif kind is _DISPATCHED or kind is np.ufunc or isinstance(function, type):
            key = function
        elif kind is functools.partial:
            return functools.partial(self.way(function.func), *function.args, **function.keywords)
        else:
            key = (kind,)
        try:
            known = self._known.get(key)
        except TypeError:  # a class that cannot be hashed
            known = self._decide(function, kind, lasts=False)
        if known is None:
            known = self._known[key] = self._decide(function, kind, lasts=key is function)
        if known == _PASS:
            return function  # type: ignore[no-any-return]
        if known == _NUMPY:
            return functools.partial(self._recorder.run, function)
        if known == _OUTSIDE:
            return functools.partial(self._recorder.foreign, function)
        assert callable(known)
        return known

    def back(self, out: Any, /) -> Any:
        """What a call gave; a plain array came out of code that is not traced, and from here on it is."""
        kind = type(out)
        if kind is np.ndarray:
            return self._recorder.source(out, "outside")
        if (kind is list or kind is tuple) and out and type(out[0]) is np.ndarray:
            found = self._recorder.source(out, "outside")
            if kind is tuple:
                return found
            out[:] = found  # the list may be known by other names
        return out

    def _decide(self, function: Any, kind: type, *, lasts: bool) -> int | Way:
        """How calls of this kind are treated; for a function that lasts, its way itself."""
        if function is type:
            return self._type_of
        if function is np.nditer:
            return functools.partial(Iteration, self._recorder)
        treatment = self._treatment(function, kind)
        if lasts and treatment == _NUMPY:
            return functools.partial(self._recorder.run, function)
        if lasts and treatment == _OUTSIDE:
            return functools.partial(self._recorder.foreign, function)
        return treatment

    def _type_of(self, x: Any) -> Any:
        return x.__class__ if type(x) is self._recorder.kind else type(x)

    def _treatment(self, function: Any, kind: type) -> int:
        name = getattr(function, "__name__", "")
        home = getattr(function, "__module__", None)
        if kind is FunctionType or kind is MethodType:
            if isinstance(getattr(function, "__self__", None), np.ndarray):
                return _NUMPY  # of a masked array, say
            code = getattr(getattr(function, "__func__", function), "__code__", None)
            if code is not None and code.co_filename in self._recorder.files:
                return _PASS
        elif kind is _DISPATCHED or kind is np.ufunc:
            return _OUTSIDE if name in _ONCE or name.endswith(_CALLED_BACK) else _NUMPY
        elif kind is BuiltinFunctionType and not isinstance(function.__self__, ModuleType | type(None)):
            owner = function.__self__
            if isinstance(owner, np.ndarray | np.ufunc):
                return _OUTSIDE if name in _ONCE else _NUMPY
            if isinstance(owner, np.generic):
                return _PASS
            home = owner.__module__ if isinstance(owner, type) else type(owner).__module__
        elif isinstance(function, type):
            if function in _READING_TYPES:
                return _OUTSIDE
            if issubclass(function, np.dtype):
                return _PASS
        elif getattr(function, "__objclass__", None) is np.ndarray:
            return _NUMPY
        elif not isinstance(home, str) or kind.__module__.partition(".")[0] not in ("builtins", "functools"):
            home = kind.__module__
            if home.startswith("numpy"):
                return _OUTSIDE  # np.vectorize and its kind call back
        return self._by_home(home if isinstance(home, str) else "", name)

    def _by_home(self, home: str, name: str) -> int:
        root = home.partition(".")[0]
        if root == "numpy":
            return _OUTSIDE if home.startswith("numpy.random") or name in _ONCE else _NUMPY
        if not root or root == "pennyweight" or home in self._recorder.own:
            return _PASS
        if root in _READERS:
            return _OUTSIDE
        return _PASS if root in sys.stdlib_module_names else _OUTSIDE


class _Rewriter(ast.NodeTransformer):
    """Leads calls by `WAY` and `BACK`, and marks the function that was asked for."""

    def __init__(self, wanted: str) -> None:
        self._wanted = wanted
        self._path: list[str] = []
        self._compilers: set[str] = set()

    def visit_Call(self, node: ast.Call) -> ast.AST:
        return _named(BACK, self._led(node), node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        if isinstance(node.value, ast.Call):
            node.value = self._led(node.value)  # nobody asks what comes back
        else:
            self.generic_visit(node)
        return node

    def _led(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and (
            node.func.id in _DIRECT or (node.func.id == "type" and len(node.args) == 3)
        ):
            return node
        node.func = _named(WAY, node.func, node.func)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return node  # annotations may be kept as text, which would be ours

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.target = self.visit(node.target)
        node.value = self.visit(node.value) if node.value is not None else None
        return node

    def visit_Import(self, node: ast.Import) -> ast.AST:
        self._compilers |= {(a.asname or a.name).partition(".")[0] for a in node.names if _compiles(a.name)}
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        if _compiles(node.module or ""):
            self._compilers |= {alias.asname or alias.name for alias in node.names}
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self._path.append(node.name)
        self.generic_visit(node)
        self._path.pop()
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        if any(_root_name(decorator) in self._compilers for decorator in node.decorator_list):
            return node  # another compiler reads it, and would not understand
        self._path.append(node.name)
        returns, node.returns = node.returns, None
        self.generic_visit(node)
        node.returns = returns
        if ".".join(self._path) == self._wanted:
            _mark(node)
        if node.name == "__array__":  # NumPy calls it and takes nothing but a true array
            node.decorator_list.append(ast.copy_location(ast.Name(PLAIN, ast.Load()), node))
        self._path.pop()
        return node


def _named(name: str, argument: ast.expr, where: ast.expr) -> ast.Call:
    """The call of one of our names, in the place of an expression."""
    return ast.copy_location(ast.Call(ast.copy_location(ast.Name(name, ast.Load()), where), [argument], []), where)


def _compiles(module: str) -> bool:
    return module.partition(".")[0] == "numba"


def _root_name(decorator: ast.expr) -> str:
    while not isinstance(decorator, ast.Name):
        inner = getattr(decorator, "func", None) or getattr(decorator, "value", None)
        if inner is None:
            return ""
        decorator = inner
    return decorator.id


def _mark(node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    """Have `Spans` know when a function runs: by a block around its body; one that yields is resumed by a wrapper."""
    if isinstance(node, ast.AsyncFunctionDef) or _yields(node):
        node.decorator_list.append(ast.copy_location(ast.Name(SPAN, ast.Load()), node))
        return
    told = 1 if ast.get_docstring(node, clean=False) is not None else 0
    body = node.body[told:] or [ast.copy_location(ast.Pass(), node)]
    block = ast.With([ast.withitem(ast.copy_location(ast.Name(SPAN, ast.Load()), body[0]))], body)
    node.body[told:] = [ast.copy_location(block, body[0])]


def _yields(function: ast.AST) -> bool:
    for node in ast.iter_child_nodes(function):
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            return True
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)) and _yields(node):
            return True
    return False


def compile_traced(source: str | bytes, filename: str, *, function: str = "") -> CodeType:
    """Compile a user's source so that its calls pass by the recorder; ``function`` is marked for `Spans`."""
    tree = ast.parse(source, filename)
    tree = ast.fix_missing_locations(_Rewriter(function).visit(tree))
    return compile(tree, filename, "exec", dont_inherit=True)


def is_users(origin: str | None) -> bool:
    """Whether a source file belongs to the user: neither Python's, nor installed, nor ours."""
    if not origin or not origin.endswith(".py") or not Path(origin).is_absolute():
        return False  # torch.ops calls itself "_ops.py"
    return not any(origin.startswith(root) for root in _INSTALLED)


_INSTALLED = tuple(
    str(Path(path)) + "/"
    for path in {
        *(sysconfig.get_paths()[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")),
        *(path for path in sys.path if path.endswith(("site-packages", "dist-packages"))),
        str(Path(__file__).parents[2]),
    }
)


class Finder(importlib.abc.MetaPathFinder):
    """Finds the user's own modules and has them compiled for tracing."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def install(self) -> None:
        """Ask this one just before Python's own search along its path: what is built in stays built in."""
        places = [i for i, finder in enumerate(sys.meta_path) if finder is importlib.machinery.PathFinder]
        sys.meta_path.insert(places[0] if places else len(sys.meta_path), self)

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """The spec that Python would find, with our loader where the file is the user's."""
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if (
            spec is None
            or not is_users(spec.origin)
            or not isinstance(spec.loader, importlib.machinery.SourceFileLoader)
        ):
            return None
        spec.loader = _Loader(fullname, spec.loader.path, self._recorder)
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module from source that is compiled for tracing; byte code on disk is neither read nor written."""

    def __init__(self, fullname: str, path: str, recorder: Recorder) -> None:
        super().__init__(fullname, path)
        self._recorder = recorder

    def get_code(self, fullname: str) -> CodeType:
        return compile_traced(self.get_data(self.path), self.path)

    def exec_module(self, module: ModuleType) -> None:
        self._recorder.files.add(self.path)
        self._recorder.own.add(module.__name__)
        super().exec_module(module)


def install(recorder: Recorder) -> None:
    """Give compiled source what it expects to find. Among Python's own names: the program's are its own."""

    def plain(method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return recorder.unwrap(method(*args, **kwargs))[0]

        return wrapper

    ways = Ways(recorder)
    vars(builtins).update({WAY: ways.way, BACK: ways.back, PLAIN: plain, SPAN: Spans(recorder)})


class Spans:
    """Remembers what was written while a function ran, in the outermost of its calls."""

    def __init__(self, recorder: Recorder) -> None:
        self._stream = recorder.stream
        self._marks = recorder.marks
        self._depth = 0

    def __enter__(self) -> None:
        if self._depth == 0 and self._marks is not None:
            self._marks.append([len(self._stream), None])
        self._depth += 1

    def __exit__(self, *error: object) -> None:
        self._depth -= 1
        if self._depth == 0 and self._marks is not None:
            self._marks[-1][1] = len(self._stream)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, a generator or a coroutine, of which each step is a call."""
        if inspect.isasyncgenfunction(function):
            return function  # both at once: its steps are not told from its caller's
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def coroutine(*args: Any, **kwargs: Any) -> Any:
                return await _Awaited(self._steps(function(*args, **kwargs)))

            return coroutine

        @functools.wraps(function)
        def generator(*args: Any, **kwargs: Any) -> Any:
            return (yield from self._steps(function(*args, **kwargs)))

        return generator

    def _steps(self, made: Any) -> Generator[Any, Any, Any]:
        step, given = made.send, None
        while True:
            try:
                with self:
                    out = step(given)
            except StopIteration as end:
                return end.value
            try:
                step, given = made.send, (yield out)
            except GeneratorExit:
                made.close()
                raise
            except BaseException as error:  # noqa: BLE001 - whatever is thrown in is passed on
                step, given = made.throw, error


class _Awaited:
    """What steps through a coroutine, for ``await``."""

    def __init__(self, steps: Generator[Any, Any, Any]) -> None:
        self._steps = steps

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._steps
