"""What the whole of Dolmino takes: CPU-hours, GPU-hours, storage, requests, by measured rates. Prints tables of docs/cluster.md.

    python benchmarks/cluster/sizing.py

Sizes are the paper's (arXiv:2501.00656, Tables 4, 5 and 13), rates those of `RATES`: change one, and print the tables again
(tests/cluster/test_sizing.py holds that the page has what this prints).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dolmino_cli.mix.estimate import Rates as Measured
from dolmino_cli.mix.find_mix import find_mix
from dolmino_cli.mix.manifest import load
from dolmino_cli.mix.plan import MixPlan, plan
from dolmino_cli.mix.populations import published_populations

TB, GB, MB = 1e12, 1e9, 1e6
HOUR = 3600
MIXES = ("dolmino-1124-50b", "dolmino-1124-100b", "dolmino-1124-300b")
# Table 4: DCLM-Baseline, of which the paper's recipe keeps 20.3 % (752B of 3.71T tokens).
DCLM_BYTES, DCLM_DOCUMENTS, DCLM_TOKENS = 21.32 * TB, 2.95e9, 3.71e12
AFTER_FASTTEXT = 0.656  # section 4.3: what the quality classifier leaves to be scored by the FineWeb-Edu one


@dataclass(frozen=True, kw_only=True)
class Rates:
    """MB/s are of UTF-8 text on one core in the steady state; ratios are stored bytes per byte of text."""

    filter_web: float
    """n-gram repetition with the tokenizer, then fastText (filters/dclm.yaml up to the GPU's stage)."""
    overlap: float
    """Decontamination by n-gram overlap (filters/flan.yaml)."""
    retokenize: float
    sample_tokens: float
    """M tokens a second on one core."""
    classifier_documents: float
    """Documents a second on one H100: FineWeb-Edu's own run, 15T tokens in 6,000 H100-hours; not measured here."""
    stored_in: float
    stored_out: float
    attribute_bytes: float
    """Of attributes per input document."""
    index_bytes: float
    """Of .csv.gz rows per document of token arrays."""
    shard_bytes: float
    """Of text per shard: what the number of shards follows from."""
    requests_per_shard: float
    """Of a small shard in a run divided by --shard, counted; 6 where one process directs. Larger ones are read by ranges."""
    range_bytes: float


MEASURED = Measured()  # what `dolmino mix plan` goes by
RATES = Rates(
    filter_web=MEASURED.filter,
    overlap=18,
    retokenize=MEASURED.retokenize,
    sample_tokens=MEASURED.sample / 4,
    classifier_documents=1060,
    stored_in=0.36,
    stored_out=0.37,
    attribute_bytes=45,
    index_bytes=30,
    shard_bytes=256 * MB,
    requests_per_shard=11,
    range_bytes=8 * (1 << 20),
)


@dataclass(frozen=True, kw_only=True)
class Need:
    """Of one step. Requests are of the object store; storage is what the step leaves there."""

    step: str
    cpu_hours: float = 0.0
    gpu_hours: float = 0.0
    stored_bytes: float = 0.0
    requests: float = 0.0


def sources_once(rates: Rates, share_of_web: float = 1.0) -> list[Need]:
    """Every source filtered and tokenized, with `share_of_web` of DCLM-Baseline's shards."""
    populations = published_populations(load(find_mix(MIXES[0])))
    web, flan = populations["dclm"], populations["flan"]
    text = {name: (found.bytes or found.tokens * 4.2) for name, found in populations.items()}
    documents = {name: (found.documents or found.tokens / 500) for name, found in populations.items()}
    scale = {name: share_of_web if name == "dclm" else 1.0 for name in populations}
    kept_text = sum(text[name] * scale[name] for name in populations)
    kept_documents = sum(documents[name] * scale[name] for name in populations)
    kept_tokens = sum(found.tokens * scale[name] for name, found in populations.items())
    web_text, web_documents = DCLM_BYTES * share_of_web, DCLM_DOCUMENTS * share_of_web
    assert web.bytes and flan.bytes
    return [
        Need(
            step="filter the web: repetition, fastText",
            cpu_hours=web_text / MB / rates.filter_web / HOUR,
            requests=_requests(web_text, rates),
            stored_bytes=web.bytes * share_of_web * rates.stored_out + web_documents * rates.attribute_bytes,
        ),
        Need(
            step="score what is left with the FineWeb-Edu classifier",
            gpu_hours=web_documents * AFTER_FASTTEXT / rates.classifier_documents / HOUR,
        ),
        Need(
            step="decontaminate FLAN",
            cpu_hours=flan.bytes / MB / rates.overlap / HOUR,
            requests=_requests(flan.bytes, rates),
            stored_bytes=flan.bytes * rates.stored_out,
        ),
        Need(
            step="tokenize all sources",
            cpu_hours=kept_text / MB / rates.retokenize / HOUR,
            requests=_requests(kept_text, rates),
            stored_bytes=kept_tokens * 4 + kept_documents * rates.index_bytes,
        ),
    ]


def sampled(mix: MixPlan, rates: Rates) -> Need:
    """One mix of token arrays."""
    return Need(
        step=f"sample {mix.name}",
        cpu_hours=mix.tokens / 1e6 / rates.sample_tokens / HOUR,
        stored_bytes=mix.tokens * 4,
        requests=mix.tokens * 4 / rates.range_bytes * 2,
    )


def _requests(text_bytes: float, rates: Rates) -> float:
    return text_bytes / rates.shard_bytes * rates.requests_per_shard + text_bytes * rates.stored_in / rates.range_bytes


def _planned(name: str) -> MixPlan:
    manifest = load(find_mix(name))
    return plan(manifest, published_populations(manifest))


def _row(need: Need) -> str:
    gpu = f"{need.gpu_hours:,.0f}" if need.gpu_hours else ""
    cpu = f"{need.cpu_hours:,.0f}" if need.cpu_hours >= 1 else f"{need.cpu_hours:.1f}" if need.cpu_hours else ""
    stored = f"{need.stored_bytes / TB:,.2f}" if need.stored_bytes else ""
    requests = f"{need.requests / 1e6:,.2f}" if need.requests else ""
    return f"| {need.step} | {cpu} | {gpu} | {stored} | {requests} |"


def _total(step: str, needs: list[Need]) -> Need:
    summed = {name: sum(getattr(need, name) for need in needs) for name in ("cpu_hours", "gpu_hours", "stored_bytes", "requests")}
    return Need(step=step, **summed)


def tables(rates: Rates = RATES) -> Iterator[str]:
    """The lines of both tables."""
    head = ["| step | CPU-hours | H100-hours | stored, TB | requests, M |", "| --- | ---: | ---: | ---: | ---: |"]
    yield "Every source in full, once, and then each mix of it:"
    yield ""
    yield from head
    once = sources_once(rates)
    yield from map(_row, once)
    yield _row(_total("**all sources**", once))
    mixes = {name: _planned(name) for name in MIXES}
    yield from (_row(sampled(mix, rates)) for mix in mixes.values())
    yield ""
    yield "Of DCLM-Baseline only as many shards as the mix takes documents of:"
    yield ""
    yield from head
    for name, mix in mixes.items():
        share = next(float(source.source_percent) for source in mix.sources if source.name == "dclm") / 100
        needs = [*sources_once(rates, share), sampled(mix, rates)]
        yield _row(_total(f"{name}, {share:.2%} of the web".replace("%", " %"), needs))


if __name__ == "__main__":
    print("\n".join(tables()))
