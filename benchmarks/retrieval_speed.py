"""What do exact and explained scores cost over tantivy's own? And are they those of another implementation?

    python benchmarks/retrieval_speed.py TEXTS.parquet [--column text] [--passages 120000] [--queries 1000]

Texts are cut into passages; the same passages are indexed by tantivy alone (its English analyser, texts stored) and by
``pennyweight index``. Build: processor seconds of both, in turns. Queries: some consecutive words of random passages,
each asked of both in turns, once as tantivy alone answers with its top 10, once with exact scores and every reason of
the top 10. Scores are compared with bm25s, which is given our terms: what differs then is arithmetic alone.
"""

import argparse
import json
import shutil
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import bm25s
import numpy as np
import pyarrow.parquet as pq
import tantivy

from pennyweight.core.machine import BusyWatch, this_machine
from pennyweight.data.analyser import searched, terms
from pennyweight.methods.qa.index.build import update
from pennyweight.methods.qa.index.generation import K1, B, Generation
from pennyweight.methods.qa.index.layout import current
from pennyweight.methods.qa.index.sources import Folder
from pennyweight.methods.qa.retrieve import retrieve

RESULT = Path(__file__).parent / "results" / "retrieval_speed.json"
REPEATS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--column", default="text")
    parser.add_argument("--passages", type=int, default=120_000)
    parser.add_argument("--queries", type=int, default=1000)
    options = parser.parse_args()
    texts = pq.read_table(options.texts, columns=[options.column])[options.column].to_pylist()
    watch = BusyWatch()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "documents"
        source.mkdir()
        characters = 0
        for number, text in enumerate(texts):
            if characters > 620 * options.passages:  # a passage of such texts has about so many characters
                break
            (source / f"{number:05}.txt").write_text(text, encoding="utf-8")
            characters += len(text)
        ours, theirs = [], []
        for repeat in range(REPEATS):
            own = folder / f"ours-{repeat}"
            ours.append(_processor_seconds(partial(update, own, Folder(source))))
            index = Generation(current(own))
            passages = [index.text(place) for place in range(index.manifest.passages)]
            theirs.append(_processor_seconds(partial(_alone, passages, folder / "alone")))
        generator = np.random.default_rng(0)
        asked = [_query(passages[int(generator.integers(len(passages)))], generator) for _ in range(options.queries)]
        result: dict[str, Any] = {
            "machine": vars(this_machine()),
            "busy": watch.share(),
            "passages": index.manifest.passages,
            "words": index.manifest.words,
            "build": {"ours": ours, "tantivy": theirs, "ratio": median(ours) / median(theirs)},
            "query": _queries(index, folder / "alone", asked),
            "scores": _scores(index, passages, asked),
        }
    print(json.dumps({key: value for key, value in result.items() if key != "machine"}, indent=1))
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _processor_seconds(work: Any) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _alone(passages: list[str], folder: Path) -> None:
    """The same passages with tantivy alone."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    schema = tantivy.SchemaBuilder().add_text_field("body", stored=True, tokenizer_name="en_stem").build()
    writer = tantivy.Index(schema, path=str(folder)).writer(128 << 20, num_threads=1)
    for text in passages:
        document = tantivy.Document()
        document.add_text("body", text)
        writer.add_document(document)
    writer.commit()
    writer.wait_merging_threads()


def _query(passage: str, generator: np.random.Generator) -> str:
    """Eight consecutive words of a passage: known items."""
    words = passage.split()
    start = int(generator.integers(max(1, len(words) - 8)))
    return " ".join(words[start : start + 8])


def _queries(index: Generation, folder: Path, asked: list[str]) -> dict[str, float]:
    alone = tantivy.Index.open(str(folder))
    searcher, schema = alone.searcher(), alone.schema
    bare, explained = [], []
    for number, question in enumerate(asked):
        kept = [*searched(question)[0]]
        parts = [(tantivy.Occur.Should, tantivy.Query.term_query(schema, "body", term)) for term in kept]
        query = tantivy.Query.boolean_query(parts)
        for which in (0, 1) if number % 2 else (1, 0):
            started = time.perf_counter()
            if which:
                retrieve(index, question, most=10)
                explained.append(time.perf_counter() - started)
            else:
                searcher.search(query, limit=10)
                bare.append(time.perf_counter() - started)
    own, other = np.array(explained), np.array(bare)
    return {
        "tantivy's top 10, p50 ms": 1e3 * median(bare),
        "exact and explained, p50 ms": 1e3 * median(explained),
        "ratio of medians": median(explained) / median(bare),
        "median of ratios": float(np.median(own / other)),
    }


def _scores(index: Generation, passages: list[str], asked: list[str]) -> dict[str, float]:
    """Sums of parts, bm25s on our terms, and how often tantivy's proposals held the ten best of all passages."""
    peer = bm25s.BM25(method="lucene", k1=K1, b=B, dtype="float64")
    peer.index([terms(text) for text in passages], show_progress=False)
    worst_sum, worst_peer, found, same = 0.0, 0.0, 0, 0
    for question in asked:
        weights = {term: float(len(written)) for term, written in searched(question)[0].items()}
        if not weights:
            continue
        scores = index.search(weights, most=10)
        worst_sum = max(worst_sum, float(np.abs(scores.parts.sum(1) - scores.values).max(initial=0)))
        known = [term for term in weights if term in peer.vocab_dict]
        every = peer.get_scores([term for term in known for _ in range(int(weights[term]))])
        worst_peer = max(worst_peer, float(np.abs(every[scores.places] - scores.values).max(initial=0)))
        best = np.sort(every)[::-1][: len(scores.places)]
        same += bool(np.allclose(best, scores.values, atol=1e-5))
        found += 1
    return {
        "queries": found,
        "sum of parts, worst difference": worst_sum,
        "bm25s, worst difference": worst_peer,
        "the ten best of all passages": same / found,
    }


if __name__ == "__main__":
    main()
