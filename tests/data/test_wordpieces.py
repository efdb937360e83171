"""Word pieces say where they stand, and windows leave nothing of a passage out."""

import string
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from pennyweight.core.errors import UserError
from pennyweight.data.wordpieces import Pieces, WordPieces, windows_of

ALPHABET = string.ascii_lowercase + string.digits + ".,'é"


def save_tokenizer(path: Path) -> Path:
    """Word pieces of single letters and a few words, normalised as BERT's."""
    known = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "mouse", "##s", "cellar"]
    known += [*ALPHABET, *(f"##{letter}" for letter in ALPHABET)]
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys(known))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.save(str(path))
    return path


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> WordPieces:
    return WordPieces(save_tokenizer(tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"))


TEXTS = st.text(alphabet="the mouse s.,Éé\u0301 😀\r\n\t東שָ\u202e", max_size=60)


@given(TEXTS)
def test_pieces_stand_where_they_say_and_in_order(pieces: WordPieces, text: str) -> None:
    (found,) = pieces.encode([text])
    assert (found.starts < found.ends).all()
    assert (found.ends <= len(text)).all()
    assert (np.diff(found.starts) >= 0).all()
    for number in range(len(found.ids)):
        start, end = found.characters(number, number)
        assert text[start:end].strip()
        at = found.at(start, end)
        assert at is not None
        assert at[0] <= number <= at[1]


def test_characters_become_pieces_and_pieces_characters(pieces: WordPieces) -> None:
    text = "The mouses, the cellar."
    (found,) = pieces.encode([text])
    at = found.at(text.index("mouses"), text.index("mouses") + 6)
    assert at is not None
    assert [pieces.text(int(found.ids[number])) for number in range(at[0], at[1] + 1)] == ["mouse", "##s"]
    assert text[slice(*found.characters(*at))] == "mouses"
    assert found.at(3, 4) is None, "a space has no piece"


def so_many(number: int) -> Pieces:
    places = np.arange(number, dtype=np.int32)
    return Pieces(ids=places % 50, starts=places, ends=places + 1)


@given(
    length=st.integers(0, 20_000),
    asked=st.integers(1, 600),
    context=st.sampled_from([32, 128, 384, 512]),
    overlap=st.integers(0, 600),
)
def test_the_union_of_the_windows_is_the_passage_or_the_question_is_refused(
    pieces: WordPieces, length: int, asked: int, context: int, overlap: int
) -> None:
    if asked > context // 2 - 3:
        with pytest.raises(UserError, match=f"a question of {asked} tokens"):
            windows_of(so_many(asked), so_many(length), pieces, context=context, overlap=overlap)
        return
    found = windows_of(so_many(asked), so_many(length), pieces, context=context, overlap=overlap)
    read = np.zeros(length, bool)
    for window in found:
        assert window.length <= context
        read[window.first : window.stop] = True
    assert read.all()
    shared = min(overlap, (context - len(found[0].head) - 1) // 2)
    for one, other in pairwise(found):
        assert one.stop - other.first >= shared, "what is as short as the overlap is whole in one of them"


def test_of_what_was_asked_before_the_newest_is_kept(pieces: WordPieces) -> None:
    before = [so_many(number) for number in (5, 9, 4, 6)]
    (window,) = windows_of(so_many(3), so_many(10), pieces, context=96, overlap=8, before=before)
    kept = window.head[1 : -(3 + 1)]
    assert kept.count(pieces.separator) >= 2
    assert len(kept) <= 96 // 6
    assert list(kept[-7:-1]) == so_many(6).ids.tolist()


def test_what_is_no_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match="is no tokenizer"):
        WordPieces(tmp_path / "tokenizer.json")
    Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]")).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(UserError, match="without some of"):
        WordPieces(tmp_path / "tokenizer.json")
