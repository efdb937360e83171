"""Recipes: frozen dataclasses made by named functions, and ``--set a.b=c`` checked against their types."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar, cast, get_type_hints

from pydantic import TypeAdapter, ValidationError

from pennyweight.core.budget import Budget
from pennyweight.core.errors import UserError, did_you_mean
from pennyweight.core.optimizer import AdamW
from pennyweight.core.schedule import Schedule


@dataclass(frozen=True, kw_only=True)
class FitConfig:
    """How ``fit`` trains, whatever the method.

    ``batch`` counts the samples of one step over all processes; ``micro_batch`` (0 = the whole) how many
    pass through the model at once, the gradients being accumulated. ``clip`` bounds the gradient's norm
    (0 = not at all); ``ema`` averages the weights with that decay per step (0 = not at all), and the
    averaged weights are then those evaluated and saved. ``validations`` spreads that many evaluations
    over the budget; ``checkpoint_seconds`` is the longest training time that a kill may cost.
    """

    batch: int = 16
    micro_batch: int = 0
    optimizer: AdamW = AdamW()
    schedule: Schedule = Schedule()
    clip: float = 1.0
    ema: float = 0.0
    seed: int = 0
    budget: str = "4min"
    validations: int = 8
    checkpoint_seconds: float = 30.0
    parallel: Literal["ddp", "fsdp"] = "ddp"

    def __post_init__(self) -> None:
        if self.batch < 1 or self.micro_batch < 0 or not self.clip >= 0 or not 0 <= self.ema < 1:
            raise UserError(
                f"fit with batch {self.batch}, micro_batch {self.micro_batch}, clip {self.clip}, ema {self.ema}",
                expected="batch >= 1, micro_batch >= 0, clip >= 0 and 0 <= ema < 1",
            )
        if self.micro_batch and self.batch % self.micro_batch:
            raise UserError(f"micro_batch {self.micro_batch}", expected=f"a divisor of the batch, {self.batch}")
        if self.validations < 0 or not self.checkpoint_seconds > 0:
            raise UserError(
                f"fit with validations {self.validations}, checkpoint_seconds {self.checkpoint_seconds}",
                expected="validations >= 0 and checkpoint_seconds > 0",
            )
        Budget.parse(self.budget)


class Config(Protocol):
    """A method's configuration: any frozen dataclass with a ``fit`` part."""

    @property
    def fit(self) -> FitConfig:
        """The part that belongs to the loop."""


ConfigT = TypeVar("ConfigT")


def parse_settings(settings: Iterable[str]) -> dict[str, str]:
    """``["a.b=c"]`` as ``{"a.b": "c"}``."""
    parsed = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key.strip():
            raise UserError(f"--set {setting!r}", expected="key=value, such as fit.optimizer.lr=0.001")
        parsed[key.strip()] = value.strip()
    return parsed


def override(config: ConfigT, settings: Mapping[str, Any]) -> ConfigT:
    """The configuration with some settings changed; texts are read as the type of the setting.

    Keys are dotted paths. All are changed together, so that values which are only valid beside one another
    may come in any order. An unknown key or a value of the wrong type raises `UserError`.
    """
    return cast(ConfigT, _override(config, settings, ""))


def _override(config: Any, settings: Mapping[str, Any], prefix: str) -> Any:
    names = [f.name for f in dataclasses.fields(config)]
    parts: dict[str, dict[str, Any]] = {}
    changed: dict[str, Any] = {}
    for path, value in settings.items():
        name, dot, rest = path.partition(".")
        key = prefix + path
        if name not in names:
            where = f" of {prefix[:-1]}" if prefix else ""
            raise UserError(f"unknown setting {key!r}", expected=f"a setting{where}", hint=did_you_mean(name, names))
        current = getattr(config, name)
        if dot:
            if not dataclasses.is_dataclass(current):
                raise UserError(f"unknown setting {key!r}", expected=f"{name} to be set whole, it has no parts")
            parts.setdefault(name, {})[rest] = value
        elif dataclasses.is_dataclass(current) and not isinstance(value, type(current)):
            choices = ", ".join(f.name for f in dataclasses.fields(current))
            raise UserError(f"setting {key!r}", expected=f"one of its parts: {choices}")
        else:
            changed[name] = _convert(value, get_type_hints(type(config))[name], key)
    for name, inner in parts.items():
        changed[name] = _override(changed.get(name, getattr(config, name)), inner, f"{prefix}{name}.")
    own = [prefix + name for name in changed if name not in parts]
    try:
        return dataclasses.replace(config, **changed)
    except UserError as error:
        raise UserError(f"--set {', '.join(own or [prefix + name for name in changed])}: {error}") from None


def _convert(value: Any, kind: Any, key: str) -> Any:
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    try:
        if isinstance(value, str):
            return adapter.validate_strings(value)
        return adapter.validate_python(value)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]["msg"]
        raise UserError(f"setting {key}={value!r}", expected=problem[0].lower() + problem[1:]) from None


def to_document(config: Any) -> dict[str, Any]:
    """A configuration as plain dictionaries, for ``config.json``."""
    return dataclasses.asdict(config)


def from_document(kind: type[ConfigT], document: Mapping[str, Any]) -> ConfigT:
    """A configuration back from `to_document`; refuses what does not fit the type and what it does not know.

    Settings that a newer version has and the document lacks take their defaults.
    """
    try:
        config = TypeAdapter(kind).validate_python(dict(document))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise UserError(f"stored configuration, at {where}", expected=problem["msg"]) from None
    if strangers := _strangers(config, document, ""):
        raise UserError(f"stored configuration, at {strangers[0]}", expected="a setting that this version knows")
    return config


def _strangers(config: Any, document: Any, prefix: str) -> list[str]:
    """Dotted paths in a document that the configuration made from it does not have."""
    if not dataclasses.is_dataclass(config) or not isinstance(document, Mapping):
        return []
    known = {f.name for f in dataclasses.fields(config)}
    found = [prefix + name for name in document if name not in known]
    for name in known & document.keys():
        found += _strangers(getattr(config, name), document[name], f"{prefix}{name}.")
    return found


def flatten(config: Any, prefix: str = "") -> dict[str, Any]:
    """All settings by dotted path, in order, as ``--set`` takes them."""
    flat: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            flat |= flatten(value, f"{prefix}{field.name}.")
        else:
            flat[prefix + field.name] = value
    return flat
