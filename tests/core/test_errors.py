"""Errors say in one line what was given, what was expected and what to do."""

from pennyweight.core.errors import UserError, did_you_mean


def test_a_wrong_request_is_one_line() -> None:
    assert str(UserError("a", expected="b", hint="c")) == "a: expected b; c"
    assert str(UserError("a\n  b")) == "a b"
    assert str(UserError("a", hint="c")) == "a; c"
    assert isinstance(UserError("a"), ValueError)


def test_the_nearest_word_is_named_else_all() -> None:
    assert did_you_mean("bacth", ["batch", "clip"]) == "did you mean batch?"
    assert did_you_mean("zzz", iter(["b", "a"])) == "known: a, b"
