"""Filter and retokenize over S3 in a storm, on each executor; and what must come out of it.

python -m tests.cluster.stormy_runs --seeds 50        the long version: prints a line per run and a summary
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos_proxy import ChaosProxy
from tests.cluster import stormy_input
from tests.cluster.clusters import ONE_CPU, ROOT, ray_cluster
from tests.cluster.real_shards import results
from tests.cluster.storm import Storm, dolmino, named, weather
from tests.s3_server import S3Server
from tests.tokenizer.make import byte_level

EXECUTORS = ("local", "shard", "ray")
SHARE = 0.2  # of the requests meet a fault
PART_SIZE = "256KiB"


@dataclass(frozen=True, kw_only=True)
class Place:
    """An S3 server with inputs, and what an undisturbed run made of them."""

    s3: S3Server
    folder: Path
    records: int
    calm: dict[str, str]

    def output(self, name: str) -> Path:
        """Where the server keeps the outputs of a run."""
        return self.s3.file(name)


@contextmanager
def place(folder: Path, *, shards: int, documents: int, large_documents: int) -> Iterator[Place]:
    """Inputs on S3, filtered and tokenized in calm weather by one worker."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "stormy.yaml").write_text(stormy_input.RECIPE)
    byte_level(folder / "tokenizer.json")
    with S3Server(folder / "s3") as s3:
        records = stormy_input.write(s3.file("in"), shards=shards, documents=documents, large_documents=large_documents)
        unmeasured = Place(s3=s3, folder=folder, records=records, calm={})
        for command in commands(unmeasured, "calm"):
            storm = weather([command], environment(s3.endpoint, s3), seed=0, kills=0)
            assert storm.runs == 1, storm
        yield Place(s3=s3, folder=folder, records=records, calm=made(unmeasured, "calm"))


def environment(endpoint: str, s3: S3Server) -> dict[str, str]:
    """Of a process that reaches the server at `endpoint`."""
    return {**os.environ, **s3.environment, "AWS_ENDPOINT_URL": endpoint, "PYTHONPATH": str(ROOT)}


def commands(at: Place, run: str) -> list[list[str]]:
    """The two verbs of a run, one after the other."""
    filtered, tokens = at.s3.uri(f"{run}/filtered"), at.s3.uri(f"{run}/tokens")
    options = ("--error", "quarantine", "--rejects", "--part-size", PART_SIZE)
    return [
        dolmino("filter", at.folder / "stormy.yaml", at.s3.uri("in"), "-o", filtered, *options),
        dolmino("retokenize", filtered, "-t", at.folder / "tokenizer.json", "-o", tokens, "--tokens-per-file", 100_000),
    ]


def made(at: Place, run: str) -> dict[str, str]:
    """What a run's result consists of, by hash."""
    return {
        f"{verb}/{name}": digest
        for verb in ("filtered", "tokens")
        for name, digest in results(at.output(f"{run}/{verb}")).items()
    }


def in_a_storm(at: Place, run: str, *, executor: str, seed: int, kills: int, cluster: Any = None) -> tuple[Storm, Counter[str]]:
    """Both verbs, disturbed, until they are done; what happened, and what the proxy did."""
    whole = Storm()
    with ChaosProxy(at.s3.endpoint, seed=seed, share=SHARE) as proxy:
        settings = environment(proxy.endpoint, at.s3)
        for command in commands(at, run):
            storm = weather(
                _started(command, executor, cluster),
                settings,
                seed=seed,
                kills=kills,
                victims=(lambda: named("ray::Worker")) if executor == "ray" else tuple,
                lightning=(lambda: _lose_a_node(cluster)) if executor == "ray" else None,
            )
            whole = Storm(runs=whole.runs + storm.runs, kills=whole.kills + storm.kills, said=whole.said + storm.said)
        return whole, proxy.counts


def _started(command: list[str], executor: str, cluster: Any) -> Sequence[list[str]]:
    if executor == "shard":
        return [[*command, "--shard", f"{index}/2"] for index in range(2)]
    if executor == "ray":
        return [[*command, "--executor", "ray", "--ray-address", cluster.address, "--workers", "2"]]
    return [[*command, "--workers", "2"]]


def _lose_a_node(cluster: Any) -> None:
    """The node that joined last goes without a word; another joins."""
    lost = cluster.list_all_nodes()[-1]
    cluster.remove_node(lost, allow_graceful=False)
    cluster.add_node(**ONE_CPU)


def check(at: Place, run: str) -> None:
    """Nothing lost, nothing twice, the same bytes, and nothing that looks finished and is not."""
    found = made(at, run)
    assert found == at.calm, sorted(set(found.items()) ^ set(at.calm.items()))
    filtered, tokens = at.output(f"{run}/filtered"), at.output(f"{run}/tokens")
    counts = json.loads((filtered / "run.json").read_text())["counts"]
    assert counts["in"] == at.records == counts["kept"] + counts["quarantined"] + sum(counts["dropped"].values())
    totals = json.loads((tokens / "arrays.json").read_text())["totals"]
    assert totals["read"] == counts["kept"] == totals["documents"] + totals["empty"]
    for output in (filtered, tokens):
        left = {path.relative_to(output).parts[0] for path in output.rglob("*") if path.is_file()}
        known = {"documents", "attributes", "rejects", "quarantine", "ledger", "run.json", "arrays.json", "logs", "failures"}
        assert {name for name in left - known if not name.startswith("part-")} <= {"leases", ".jobs", "parts"}, left


def main() -> None:
    """Runs with many seeds, on the executors in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--kills", type=int, default=3, help="of each of the two verbs")
    parser.add_argument("--executors", default=",".join(EXECUTORS), help="taken in turn")
    chosen = parser.parse_args()
    whole: Counter[str] = Counter()
    folder = Path(tempfile.mkdtemp(prefix="dolmino-storm-"))
    executors = chosen.executors.split(",")
    nodes = ray_cluster([ONE_CPU] * 3) if "ray" in executors else nullcontext()
    with place(folder, shards=6, documents=100, large_documents=3000) as at, nodes as cluster:
        for seed in range(chosen.first, chosen.first + chosen.seeds):
            executor, began = executors[seed % len(executors)], time.monotonic()
            storm, did = in_a_storm(at, f"storm-{seed}", executor=executor, seed=seed, kills=chosen.kills, cluster=cluster)
            check(at, f"storm-{seed}")
            faults = sum(did.values()) - did["requests"]
            whole.update(identical=1, runs=storm.runs, kills=storm.kills, requests=did["requests"], faults=faults)
            seconds = time.monotonic() - began
            print(
                f"seed {seed:3} {executor:6} identical: {storm.runs} runs, {storm.kills} kills, "
                f"{faults:,} faults in {did['requests']:,} requests, {seconds:.0f} s",
                flush=True,
            )
    print(", ".join(f"{count:,} {name}" for name, count in whole.items()))


if __name__ == "__main__":
    main()
