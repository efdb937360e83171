"""Windows of questions and passages: every token and every short span is whole in one, answers are where they stand."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from pennyweight.data.masking import Marks
from pennyweight.data.questions import Question
from pennyweight.data.spans import Passage, parts, span_windows
from pennyweight.data.tokens import ByteTokenizer, train_bpe

BPE = train_bpe([b"the quick brown fox jumps over the lazy dog, caf\xc3\xa9 \xc3\xa9t\xc3\xa9 " * 40], vocab_size=330)
TOKENIZERS = st.sampled_from([ByteTokenizer(), BPE])
TEXT = st.text(st.sampled_from("the quick brown é€😀 .\n"), min_size=1, max_size=60)


@given(length=st.integers(0, 200), capacity=st.integers(1, 50), overlap=st.integers(0, 60))
def test_parts_cover_every_token_and_every_span_within_the_overlap(length: int, capacity: int, overlap: int) -> None:
    found = parts(length, capacity, overlap)
    assert found[0][0] == 0
    assert found[-1][1] == length
    assert all(end - start <= capacity for start, end in found)
    assert all(a < b for (a, _), (b, _) in itertools.pairwise(found))
    assert all(end < length for _, end in found[:-1]), "none is in vain"
    shared = min(overlap, capacity // 2)
    for start in range(length):
        end = min(length, start + max(1, shared))
        assert any(a <= start and end <= b for a, b in found)


@given(text=TEXT, tokenizer=TOKENIZERS, data=st.data())
def test_a_span_of_bytes_lies_in_its_tokens_and_in_no_fewer(text: str, tokenizer, data) -> None:
    passage = Passage.of(text, tokenizer)
    size = len(text.encode())
    assert passage.bounds[-1] == size
    start = data.draw(st.integers(0, size - 1))
    end = data.draw(st.integers(start + 1, size))
    first, last = passage.tokens_of(start, end)
    assert passage.bounds[first] <= start < passage.bounds[first + 1]
    assert passage.bounds[last] < end <= passage.bounds[last + 1]
    whole = passage.text(0, len(passage.ids) - 1)
    assert whole == text.strip()


@given(
    passage=TEXT,
    question=TEXT,
    tokenizer=TOKENIZERS,
    context=st.integers(16, 50),
    overlap=st.integers(0, 20),
    data=st.data(),
)
def test_windows_say_where_the_answer_is(passage, question, tokenizer, context, overlap, data) -> None:
    at = data.draw(st.integers(0, len(passage) - 1))
    answer = passage[at : data.draw(st.integers(at + 1, len(passage)))]
    marks = Marks.beyond(tokenizer.vocab_size)
    asked = [
        Question(text=question, passage=passage, document="d", answers=answers) for answers in (((answer, at),), ())
    ]
    windows = span_windows(asked, tokenizer, context=context, overlap=overlap)
    whole = Passage.of(passage, tokenizer)
    seen: set[int] = set()
    found = False
    for row, number in enumerate(windows.questions.tolist()):
        tokens, start, stop, first, last = (
            windows.arrays[name][row] for name in ("tokens", "start", "stop", "first", "last")
        )
        assert len(tokens) == context
        assert tokens[0] == tokens[start - 1] == tokenizer.separator
        head = tokens[1 : start - 1].tolist()
        assert head == tokenizer.encode(question).tolist()[: len(head)]
        assert len(head) == len(tokenizer.encode(question)) or len(head) == context // 3
        assert (tokens[stop:] == marks.padding).all()
        offset = int(windows.offsets[row])
        assert tokens[start:stop].tolist() == whole.ids[offset : offset + stop - start].tolist()
        if number == 1:
            assert first == last == 0
            continue
        seen |= set(range(offset, offset + stop - start))
        if first:
            found = True
            assert start <= first <= last < stop
            begin, end = int(first) - int(start) + offset, int(last) - int(start) + offset
            assert answer.strip() in whole.text(begin, end) or not answer.strip()
            byte = len(passage[:at].encode())
            assert (begin, end) == whole.tokens_of(byte, byte + len(answer.encode()))
    assert seen == set(range(len(whole.ids)))
    byte = len(passage[:at].encode())
    first, last = whole.tokens_of(byte, byte + len(answer.encode()))
    capacity = context - 2 - min(len(tokenizer.encode(question)), context // 3)
    if last - first < min(overlap, capacity // 2):
        assert found
