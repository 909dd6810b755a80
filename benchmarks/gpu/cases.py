"""What is measured: shapes, sequence lengths, layouts; each case is one process, so that memory starts empty."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Case:
    """One process's work: `steps` counted steps after `warm_up` uncounted ones, each of `windows` windows."""

    engine: str
    """dolmino, or olmo-core: Ai2's model, train module, sharding and optimizer, without their data loader."""
    shape: str
    """Of dolmino_cli/train/planning/shapes.py."""
    sequence_length: int
    micro_batch: int
    """Windows at once."""
    windows: int = 16
    layers: int | None = None
    """Instead of the shape's own; widths stay."""
    recompute: str = "none"
    head_chunk_tokens: int = 4096
    compile: bool = True
    warm_up: int = 5
    steps: int = 10


def olmo2_1b() -> list[Case]:
    """Done-when 5: 55,000 tokens/s is what Ai2 publishes for an H100."""
    ours = [Case(engine="dolmino", shape="olmo2-1b", sequence_length=4096, micro_batch=size) for size in (2, 4, 8)]
    theirs = [Case(engine="olmo-core", shape="olmo2-1b", sequence_length=4096, micro_batch=size) for size in (2, 4, 8)]
    # Alternately, so that a machine that warms up slows both.
    return [case for pair in zip(ours, theirs, strict=True) for case in pair]


def variants_1b() -> list[Case]:
    """What chunks, recomputing and compiling cost or gain."""
    base = {"engine": "dolmino", "shape": "olmo2-1b", "sequence_length": 4096, "micro_batch": 4}
    changes: list[dict[str, object]] = [
        {"head_chunk_tokens": 2048},
        {"head_chunk_tokens": 8192},
        {"recompute": "selective"},
        {"recompute": "full"},
        {"compile": False},
    ]
    return [Case(**{**base, **change}) for change in changes]  # type: ignore[arg-type]


def llm_jp() -> list[Case]:
    """LLM-jp's Table 4: 41,757 tokens/s on each of 128 H200."""
    return [Case(engine="dolmino", shape="llm-jp-1.3b", sequence_length=8192, micro_batch=size, windows=8) for size in (1, 2, 4)]


def width_7b() -> list[Case]:
    """7B does not fit one GPU with fp32 moments: by layers, of which the difference of two depths is the cost of one."""
    return [
        Case(
            engine=engine,
            shape="olmo2-7b",
            sequence_length=4096,
            micro_batch=2,
            windows=8,
            layers=layers,
            recompute="selective" if engine == "dolmino" and layers > 16 else "none",
        )
        for layers in (8, 16, 24)
        for engine in (("dolmino", "olmo-core") if layers < 24 else ("dolmino",))
    ]


GROUPS = {"1b": olmo2_1b, "variants": variants_1b, "llm-jp": llm_jp, "7b-width": width_7b}


def smoke() -> list[Case]:
    """Tiny, on whatever there is: does everything run?"""
    return [
        Case(engine=engine, shape="tiny", sequence_length=64, micro_batch=2, windows=4, warm_up=1, steps=2, compile=False)
        for engine in ("dolmino", "olmo-core")
    ]
