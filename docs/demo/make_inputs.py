"""Write the demo's inputs: six sources with good and bad documents, texts to train a quality model on, a tokenizer.

All of it is made here from word lists and a seed. Good documents are written until each source holds its share of
tokens of the published pool (OLMo 2 paper, Table 5), so that the demo mix comes out in the published proportions.

Usage: python make_inputs.py OUTPUT
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import zstandard
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

SEED = 1124
TOTAL_TOKENS = 1_600_000
# Billions of tokens in the published pool, Table 5.
PUBLISHED_BILLIONS = {"dclm": 752, "flan": 17.0, "stackexchange": 1.26, "pes2o": 58.6, "wiki": 3.7, "math": 10.7}
WRITTEN_HERE = {"math": 0.5}  # the other half is arithmetic that run.sh generates
SHARDS = {"dclm": 8, "pes2o": 2}

SUBJECTS = """
river engine glacier cell planet market bridge forest enzyme signal harbour violin reactor desert library
orchard comet valley lens archive
""".split()
ADJECTIVES = """
slow ancient careful bright hidden narrow patient distant steady quiet complex fragile northern hollow golden
recent
""".split()
VERBS = """
carries measures shapes follows explains supports changes holds reaches guides balances connects reveals
limits
""".split()
LINKS = "because while although whenever so that after before since until".split()
NAMES = "Ada Basil Chen Dara Emeka Farah Goro Hana Ivan Jun Kiri Lena".split()
SPAM = "WINNER free cash click here now bonus casino pills deal!!! subscribe cheap offer $$$ lucky hot limited prize".split()


def sentence(rng: random.Random) -> str:
    """A grammatical sentence about nothing much."""
    first, second = rng.choice(SUBJECTS), rng.choice(SUBJECTS)
    words = f"the {rng.choice(ADJECTIVES)} {first} {rng.choice(VERBS)} the {second} {rng.choice(LINKS)}"
    words += f" its {rng.choice(ADJECTIVES)} {rng.choice(SUBJECTS)} {rng.choice(VERBS)} it"
    return words.capitalize() + "."


def prose(rng: random.Random, sentences: int) -> str:
    """Paragraphs of five sentences."""
    made = [sentence(rng) for _ in range(sentences)]
    return "\n".join(" ".join(made[i : i + 5]) for i in range(0, sentences, 5))


def spam(rng: random.Random) -> str:
    """What the quality model is there to find."""
    return " ".join(rng.choice(SPAM) for _ in range(rng.randint(40, 160)))


def looped(rng: random.Random) -> str:
    """Good prose with a unit that repeats 40 times in a row: what the repetition filter is for."""
    unit = f" {rng.choice(SUBJECTS)} {rng.choice(ADJECTIVES)},"
    return prose(rng, 5) + unit * 40


def good_texts(rng: random.Random) -> dict[str, Callable[[], tuple[str, dict[str, object]]]]:
    """Per source, a maker of good documents: text and metadata."""

    def instruction() -> tuple[str, dict[str, object]]:
        topic = rng.choice(SUBJECTS)
        return f"Question: what do we know of the {topic}?\nAnswer: {prose(rng, rng.randint(2, 6))}", {}

    def answered() -> tuple[str, dict[str, object]]:
        text = f"Why is the {rng.choice(SUBJECTS)} {rng.choice(ADJECTIVES)}?\n\n{prose(rng, 2)}\n\n{prose(rng, 4)}"
        return text, {"question_score": rng.randint(3, 40), "answer_score": rng.randint(5, 90)}

    def sum_problem() -> tuple[str, dict[str, object]]:
        a, b, c = (rng.randint(2, 99) for _ in range(3))
        name, thing = rng.choice(NAMES), rng.choice(SUBJECTS)
        question = f"{name} drew {a} plans of a {thing}, then {b} more, and lost {c}. How many are left?"
        return f"{question}\n{a} + {b} = {a + b}\n{a + b} - {c} = {a + b - c}\nThe answer is {a + b - c}.", {}

    return {
        "dclm": lambda: (prose(rng, rng.randint(5, 40)), {"url": f"https://example.org/{rng.randrange(10**6)}"}),
        "flan": instruction,
        "stackexchange": answered,
        "pes2o": lambda: (f"Abstract. {prose(rng, rng.randint(20, 60))}", {}),
        "wiki": lambda: (f"{rng.choice(SUBJECTS).capitalize()}\n\n{prose(rng, rng.randint(8, 20))}", {}),
        "math": sum_problem,
    }


def bad_texts(rng: random.Random) -> dict[str, Callable[[], tuple[str, dict[str, object]]]]:
    """Per source, a maker of the documents that its recipe is there to drop."""
    word = rng.choice(SUBJECTS)
    return {
        "dclm": lambda: (rng.choice((spam, spam, looped))(rng), {"url": f"https://example.com/{rng.randrange(10**6)}"}),
        "flan": lambda: (f"Question: repeat the word.\nAnswer: {f'{word} ' * rng.randint(8, 20)}and stop", {}),
        "stackexchange": lambda: (prose(rng, 6), {"question_score": rng.randint(-3, 2), "answer_score": rng.randint(-2, 4)}),
        "pes2o": lambda: (sentence(rng), {}),
        "wiki": lambda: (rng.choice(SUBJECTS).capitalize(), {}),
        "math": lambda: (looped(rng), {}),
    }


def train_tokenizer(rng: random.Random, path: Path) -> Tokenizer:
    """A byte-level BPE of 2,048 entries with <|endoftext|>, trained on good text of every source."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=2048,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    makers = [*good_texts(rng).values(), *bad_texts(rng).values()]
    tokenizer.train_from_iterator((make()[0] for make in makers for _ in range(300)), trainer)
    path.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(path / "tokenizer.json"))
    return tokenizer


def documents(source: str, tokenizer: Tokenizer) -> Iterator[dict[str, object]]:
    """Good documents up to the source's share of tokens, a bad one after every third."""
    rng = random.Random(f"{SEED} {source}")
    good, bad = good_texts(rng)[source], bad_texts(rng)[source]
    left = TOTAL_TOKENS * PUBLISHED_BILLIONS[source] / sum(PUBLISHED_BILLIONS.values()) * WRITTEN_HERE.get(source, 1)
    number = 0
    while left > 0:
        text, metadata = good() if number % 4 else bad()
        if number % 4:
            left -= len(tokenizer.encode(text).ids) + 1
        yield {
            "id": f"{source}-{number:06d}",
            "text": text,
            "source": source,
            "added": "2024-11-24",
            "created": None,
            "metadata": metadata,
        }
        number += 1


def write_shards(folder: Path, source: str, rows: list[dict[str, object]]) -> None:
    """The rows over the source's shards, zstd-compressed JSONL."""
    folder.mkdir(parents=True, exist_ok=True)
    count = SHARDS.get(source, 1)
    for shard in range(count):
        lines = "".join(json.dumps(row) + "\n" for row in rows[shard::count])
        (folder / f"{source}-{shard:04d}.jsonl.zst").write_bytes(zstandard.compress(lines.encode()))


def write_labelled(path: Path) -> None:
    """Labelled texts to train the quality model on."""
    rng = random.Random(f"{SEED} quality")
    with path.open("w", encoding="utf-8") as file:
        for _ in range(1500):
            for label, text in (("prose", prose(rng, rng.randint(3, 12))), ("spam", spam(rng))):
                file.write(json.dumps({"text": text, "label": label}) + "\n")


def main(output: Path) -> None:
    """Write everything under `output`."""
    tokenizer = train_tokenizer(random.Random(SEED), output / "tokenizer")
    for source in PUBLISHED_BILLIONS:
        write_shards(output / "raw" / source, source, list(documents(source, tokenizer)))
    write_labelled(output / "labelled.jsonl")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
