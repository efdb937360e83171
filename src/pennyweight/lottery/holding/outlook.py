"""Where an idea would do better: the devices of the catalogue, with the software that was met here.

The ratio of two ideas' times on a device that is not here is that of its limits, which is known, times that of the
efficiencies, which is not. For that the stacks here stand in, from the least to the most: an interval that is wide
because it is honest, and no point.
"""

from collections.abc import Mapping, Sequence

from pennyweight.core.errors import UserError
from pennyweight.core.race import Interval
from pennyweight.lottery.devices.catalogue import DTYPES, Device, devices, limit
from pennyweight.lottery.holding.card import Forecast, Work
from pennyweight.lottery.holding.limits import MOVES


def device_seconds(device: Device, work: Work) -> float | None:
    """The device's least seconds for a work: matrix products on its best units, the rest on its vector units.

    None where the catalogue has no rate for a format that is needed.
    """
    matrix, vector = _flops(work, matrix=True), _flops(work, matrix=False)
    try:
        products = limit(device, flops=matrix, bytes=work.num_bytes, matrix=True)
        others = limit(device, flops=vector, bytes=0.0, matrix=False)
    except UserError:
        return None
    return max(products.compute_seconds + others.compute_seconds, products.memory_seconds)


def _flops(work: Work, *, matrix: bool) -> dict[str, float]:
    """Operations by number format; what is no format of the catalogue is arithmetic in float32."""
    found: dict[str, float] = {}
    for step in work.steps:
        if step.matrix == matrix and step.family not in MOVES and step.operations:
            dtype = step.dtype if step.dtype in DTYPES else "float32"
            if not matrix and dtype in ("int8", "bfloat16"):
                dtype = "float32"  # vector units compute in the wider format
            found[dtype] = found.get(dtype, 0.0) + step.operations
    return found


def forecasts(
    works: Mapping[str, Work], software: Mapping[str, Interval], *, baseline: str, catalogue: Sequence[Device] = ()
) -> list[Forecast]:
    """For each idea and device: time over the baseline's, from the least to the most; ordered by the device's limits.

    ``works`` are those of the ideas at one size and precision, ``software`` what `parts.software_ratios` saw.
    """
    found = []
    for device in catalogue or devices().values():
        base = device_seconds(device, works[baseline]) if baseline in works else None
        for idea, part in software.items():
            own = device_seconds(device, works[idea]) if idea in works else None
            if own is None or not base:
                continue
            hardware = own / base
            found.append(
                Forecast(
                    device=device.key,
                    name=device.name,
                    idea=idea,
                    hardware=hardware,
                    low=hardware * part.low,
                    high=hardware * part.high,
                )
            )
    return sorted(found, key=lambda one: (one.idea, one.hardware, one.device))
