"""Make the page of the array functions from what each declares of itself."""

from pennyweight.arrays.namespace import ABILITIES, LIBRARIES, OTHERS, Declared

HEAD = """# Array functions

The array work of the product is written once against the Python array API standard, in `pennyweight.arrays`. This table
is made from what each function declares beside itself, and a test holds it to that: on every library named the results
agree with NumPy's, stay in that library, on its device and in their type, and leave the inputs as they were.

*Others* are further libraries that follow the standard (tried on `array_api_strict`, on a device that gives nothing to
the host). *jax.jit*: compiles. *gradient*: derivatives flow in PyTorch and JAX. *lazy on Dask*: nothing is computed
before it is asked for. *host*: the result is numbers in the host's memory. A number points to the reason for a no.
"""


def page(functions: dict[str, Declared]) -> str:
    """The table of what runs where, with the reason for each no below it."""
    columns = {**LIBRARIES, OTHERS: OTHERS, **ABILITIES}
    reasons: list[str] = []

    def cell(entry: Declared, column: str) -> str:
        reason = entry.capability.reason(column)
        if reason is None:
            return "yes"
        if reason not in reasons:
            reasons.append(reason)
        return f"no ({reasons.index(reason) + 1})"

    rows = [f"| function | {' | '.join(columns.values())} | result | |", "|---" * (len(columns) + 3) + "|"]
    for name, entry in functions.items():
        cells = " | ".join(cell(entry, column) for column in columns)
        place = "host" if entry.capability.host else "stays"
        rows.append(f"| `{name}` | {cells} | {place} | {entry.summary} |")
    listed = "\n".join(f"{number}. {reason}" for number, reason in enumerate(reasons, 1))
    return f"{HEAD}\n" + "\n".join(rows) + f"\n\n## Reasons\n\n{listed}\n"
