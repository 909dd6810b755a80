"""The sizes that manifests call published are those of the paper's Tables 4 and 5, of the released configs, or LLM-jp's."""

from __future__ import annotations

from dolmino_cli.bundled import bundled_names, find
from dolmino_cli.mix.manifest import Published, load
from tests.mix.published import as_printed, rows_of

# Tokens, bytes, documents. Table 5 prints one line for both halves of TinyGSM-MIND, which stand here with the configs' tokens.
TABLES_4_AND_5 = """
dclm                               752B   4.56T   606M
flan                               17.0B  98.2B   57.3M
stackexchange                      1.26B  7.72B   2.48M
pes2o                              58.6B  413B    38.8M
wiki                               3.7B   16.2B   6.17M
math/tulumath                      230M   1.03B   220K
math/dolmino-synthmath             28.7M  163M    725K
math/tinygsm-mind/problem-solving  3.06B  -       -
math/tinygsm-mind/two-students     3.41B  -       -
math/mathcoder2-synth              3.87B  18.4B   2.83M
math/metamath                      84.2M  741M    383K
math/codesearchnet-owm             1.78M  29.8M   7.27K
math/gsm8k                         2.74M  25.3M   17.6K
gsm8k                              2.74M  25.3M   17.6K
dclm-pretrain                      3.71T  21.32T  2.95B
starcoder                          83.0B  459B    78.7M
arxiv                              20.8B  77.2B   3.95M
openwebmath                        12.2B  47.2B   2.89M
algebraicstack                     11.8B  44.0B   2.83M
"""
# The released configs' own counts, in the as-run mixes: the files of a source, summed.
AS_RUN = """
dclm                               752B      4.56T  606M
flan                               17.08B    98.2B  57.3M
stackexchange                      1.26B     7.72B  2.48M
pes2o                              58.55B    413B   38.8M
wiki                               3.66B     16.2B  6.17M
math/tulumath                      233.1M    1.03B  220K
math/dolmino-synthmath             29.38M    163M   725K
math/tinygsm-mind/problem-solving  3.06B     -      -
math/tinygsm-mind/two-students     3.41B     -      -
math/mathcoder2-synth              3872.58M  18.4B  2.83M
math/metamath                      84.22M    741M   383K
math/gsm8k                         2.74M     -      14.9K
"""
# LLM-jp's train_data.all.sh (tokens) and the blog's Table 1 (bytes, documents).
LLM_JP = """
dclm           821700082246  4.56T  606M
flan           18485484042   98.2B  57.3M
stackexchange  1464772187    7.72B  2.48M
pes2o          62853772802   413B   38.8M
wiki           3896965449    16.2B  6.17M
math           11415049655   45.9B  21.37M
"""
# Parts of a source, as the configs of the microanneals count them.
MICROANNEALS = """
math/tulumath  84.52M  -  -
math/tinygsm   1.65B   -  -
"""


def sizes(table: str) -> dict[str, tuple[int, int | None, int | None]]:
    return {name: (number(tokens) or 0, number(size), number(documents)) for name, tokens, size, documents in rows_of(table)}


def number(text: str) -> int | None:
    if text == "-":
        return None
    if text.endswith("K"):
        return int(1000 * (as_printed(text[:-1]).low + as_printed(text[:-1]).high) / 2)
    return int((as_printed(text).low + as_printed(text).high) / 2)


def of(published: Published) -> tuple[int, int | None, int | None]:
    return published.tokens, published.bytes, published.documents


def test_published_sizes_are_those_of_the_tables() -> None:
    paper, as_run, llm_jp = sizes(TABLES_4_AND_5), sizes(AS_RUN), sizes(LLM_JP)
    for name in bundled_names("mixes"):
        table = llm_jp if "-llm-jp" in name else as_run if name.endswith("-as-run") else paper
        if name.startswith("microanneal-"):
            table = paper | sizes(MICROANNEALS)
        found = {
            source: of(spec.published) for source, spec in load(find("mixes", name)).sources.items() if spec.published is not None
        }
        assert found == {source: table[source] for source in found}, name
        without = {source for source, spec in load(find("mixes", name)).sources.items() if spec.published is None}
        assert without.isdisjoint(paper), name


def test_within_is_half_the_last_printed_digit() -> None:
    """But for sums of several headers, for TuluMath's 230M, which is 233.1M in the configs, and for exact counts."""
    sums = {
        "math/dolmino-synthmath": 20_000,
        "math/mathcoder2-synth": 5_005_000,
        "math/gsm8k": 10_000,
        "math/tulumath": 5_000_000,
    }
    for name in bundled_names("mixes"):
        table = AS_RUN if name.endswith("-as-run") else TABLES_4_AND_5
        printed = {row[0]: row[1] for row in rows_of(table)}
        if name.startswith("microanneal-"):
            printed |= {row[0]: row[1] for row in rows_of(MICROANNEALS)}
        for source, spec in load(find("mixes", name)).sources.items():
            if spec.published is None:
                continue
            half = 0 if "-llm-jp" in name else int((as_printed(printed[source]).high - as_printed(printed[source]).low) / 2)
            assert spec.published.within in (half, sums.get(source)), (name, source)
