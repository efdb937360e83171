"""The benchmarks in JAX: compiled functions whose results are waited for; each is a new array, there is no ``out``."""

from typing import Any

import jax
import jax.numpy as jnp
import jaxlib.version
import numpy as np
from numpy.typing import NDArray

from pennyweight.lottery.weighing.microbench.benchmarks import Statement
from pennyweight.lottery.weighing.microbench.dialect import Dialect

_VALUE = 0.75


def dialect() -> Dialect:
    """JAX's statements and arrays on its default device."""
    vectors: dict[tuple[int, str], dict[str, jax.Array]] = {}

    def large(count: int, dtype: str) -> dict[str, jax.Array]:
        if (count, dtype) not in vectors:
            vectors[count, dtype] = {name: jnp.full(count, _VALUE, dtype) for name in "xy"}
        return vectors[count, dtype]

    functions: dict[str, Any] = {
        "add": jnp.add,
        "multiply": jnp.multiply,
        "exp": jnp.exp,
        "total": jnp.sum,
        "cumsum": jnp.cumsum,
        "matmul": jnp.matmul,
        "matmul8": lambda a, b: jax.lax.dot(a, b, preferred_element_type=jnp.int32),
        "solve": jnp.linalg.solve,
        "rfft": jnp.fft.rfft,
        "sort": jnp.sort,
        "gather": lambda x, i: x[i],
        "scatter": lambda z, i, x: z.at[i].set(x),
        "copy": jnp.copy,
    }
    calls: dict[Statement, str] = {
        "stream": "add(x, y)",
        "elementwise": "multiply(x, y)",
        "transcendental": "exp(x)",
        "reduction": "total(x)",
        "scan": "cumsum(x)",
        "contraction": "matmul(a, b)",
        "int8": "matmul8(a, b)",
        "linalg": "solve(s, v)",
        "fft": "rfft(r)",
        "sort": "sort(x)",
        "gather": "gather(x, i)",
        "scatter": "scatter(z, i, x)",
        "copy": "copy(x)",
    }
    return Dialect(
        statements={name: f"{call}.block_until_ready()" for name, call in calls.items()},
        names={name: jax.jit(function) for name, function in functions.items()},
        array=_array,
        large=large,
        software=software,
    )


def _array(values: NDArray[Any], dtype: str) -> jax.Array:
    return jnp.asarray(values.astype(np.int32) if dtype == "index" else values, None if dtype == "index" else dtype)


def software() -> dict[str, str]:
    """Versions of JAX and of the library that holds XLA, and XLA's platform."""
    return {"jax": jax.__version__, "build": f"XLA of jaxlib {jaxlib.version.__version__} on {jax.default_backend()}"}
