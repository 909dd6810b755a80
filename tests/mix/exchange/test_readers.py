"""OLMo-core and datatrove themselves read our arrays, and what was exported for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dolmino_cli.mix.exchange.export_arrays import plan_export, write_export
from dolmino_cli.mix.exchange.export_mix import ListFormat, plan_list, write_list
from dolmino_cli.mix.exchange.what import SampledMix, open_what
from dolmino_cli.mix.sampling.sample import sample
from dolmino_cli.shards.storage import Output
from dolmino_cli.tokens.retokenize import retokenize
from tests.mix.make import EOS, documents_of, read_arrays, write_arrays, write_manifest
from tests.readers import run_reader
from tests.tokenizer.make import byte_level
from tests.tokens.make import documents_in, many_shards

SEQUENCE_LENGTH = 16

# One process for all of it, since OLMo-core's import takes seconds: the documents of arrays by rows and by eos, the YAML's
# windows, the mix's paths, the source mixture's tokens per file.
OLMO_CORE = """
import json, sys
from contextlib import contextmanager
from pathlib import Path
import numpy as np
import yaml
from olmo_core.data import mixes
from olmo_core.data.numpy_dataset import NumpyFSLDataset
from olmo_core.data.source_mixture import SourceMixtureDatasetConfig, SourceMixtureList
from olmo_core.data.utils import iter_document_indices, load_array_slice_into_tensor
# reads
def documents_in(path, eos, dtype):
    by_rows = list(iter_document_indices(path, use_array_if_local=False, dtype=dtype))
    by_eos = [(int(a), int(b)) for a, b in iter_document_indices(path, eos_token_id=eos, dtype=dtype)]
    assert by_rows == by_eos, path
    return [load_array_slice_into_tensor(path, a, b, dtype).tolist() for a, b in by_rows]

folder, length, eos, requested = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
documents = [one for path in sys.argv[7:] for one in documents_in(path, int(sys.argv[5]), getattr(np, sys.argv[6]))]
data = yaml.safe_load((folder / "olmo.yaml").read_text())["data"]
dataset = NumpyFSLDataset(*data["paths"], sequence_length=length, pad_token_id=eos, eos_token_id=eos, vocab_size=100,
                          dtype=getattr(np, data["memmap_dtype"]))
dataset.prepare()
windows = [dataset[i]["input_ids"].tolist() for i in range(len(dataset))]

@contextmanager
def ours(name):
    yield folder / "olmo-core.txt"

mixes._get_data_mix_path = ours
paths, labels = mixes.DataMix.OLMoE_mix_0824.build("s3://base", "tiny")
sources = SourceMixtureList.from_yaml(folder / "source-mixture.yaml")
config = SourceMixtureDatasetConfig(source_list=sources, requested_tokens=requested, global_batch_size=1,
                                    render_tables=False, quiet=True)
built = config.build(npdtype=np.uint16, sequence_length=1)
taken = {source.name: [file.tokens for file in source.path_tokens] for source in built.sources}
print(json.dumps({"documents": documents, "windows": windows, "paths": paths, "labels": labels, "taken": taken}))
"""

DATATROVE = """
import json, sys
import numpy as np
import torch
from datatrove.pipeline.tokens.merger import get_data_reader, load_doc_ends
from datatrove.io import get_datafolder
from datatrove.utils.dataset import DatatroveFolderDataset
# reads
folder, length = sys.argv[1], int(sys.argv[2])
files = sorted(get_datafolder(folder).list_files(glob_pattern="*.ds"))
documents = []
for name in files:
    with open(f"{folder}/{name}.index", "rb") as index, open(f"{folder}/{name}", "rb") as data:
        ends = load_doc_ends(index)
        reader = get_data_reader(data, ends, nb_bytes=2)
        documents += [np.frombuffer(one, np.uint16).tolist() for one in reader]
dataset = DatatroveFolderDataset(folder, seq_len=length - 1, filename_pattern="*.ds", token_size=2, return_positions=True)
items = [dataset[i] for i in range(len(dataset))]
windows = [item["input_ids"].tolist() for item in items]
starts = [(item["positions"] == 0).nonzero().flatten().tolist() for item in items]
print(json.dumps({"documents": documents, "windows": windows, "starts": starts}))
"""


@pytest.fixture
def mix(tmp_path: Path) -> SampledMix:
    """A sampled mix of three parts or more."""
    web, math = documents_of(*[2 + (i * 7) % 20 for i in range(60)], prefix="w"), documents_of(5, 6, 7, 8, 9, prefix="m")
    for name, documents in (("web", web), ("math", math)):
        write_arrays(tmp_path / "tokens" / name, documents, groups=3, tokens_per_file=100)
    manifest = write_manifest(tmp_path / "small.yaml", web="source_percent: 30", math="source_percent: 250")
    sample(manifest, output=str(tmp_path / "mix"), arrays_root=str(tmp_path / "tokens"), tokens_per_file=100)
    opened = open_what(str(tmp_path / "mix"), arrays_root=None)
    assert isinstance(opened, SampledMix)
    assert len(opened.arrays.files) > 2
    return opened


def windows_of(mix: SampledMix) -> list[list[int]]:
    """What a trainer cuts the parts into."""
    found = []
    for file in mix.arrays.files:
        tokens = mix.arrays.memmap(file)
        found += [tokens[at : at + SEQUENCE_LENGTH] for at in range(0, len(tokens) - SEQUENCE_LENGTH + 1, SEQUENCE_LENGTH)]
    return [window.astype(np.int64).tolist() for window in found]


def test_olmo_core_reads_our_arrays_and_lists(tmp_path: Path, mix: SampledMix) -> None:
    shards, tokenizer = str(many_shards(tmp_path / "in")), str(byte_level(tmp_path / "tokenizer.json"))
    arrays = retokenize([shards], tokenizer=tokenizer, output=str(tmp_path / "arrays"), tokens_per_file=3000)
    assert len(arrays.files) > 1
    formats: list[tuple[ListFormat, str, str | None]] = [
        ("olmo", "yaml", None),
        ("olmo-core", "txt", "preprocessed/small/{TOKENIZER}"),
    ]
    for to, suffix, prefix in formats:
        write_list(plan_list(mix, to, output=str(tmp_path / f"{to}.{suffix}"), prefix=prefix))
    sources = open_what(str(tmp_path / "small.yaml"), arrays_root=str(tmp_path / "tokens"))
    mixture = plan_list(sources, "source-mixture", output=str(tmp_path / "source-mixture.yaml"), prefix=None)
    write_list(mixture)
    requested = int(mixture.listing.files.settings["requested_tokens"])
    theirs = [str(arrays.tokenizer.eos_id), arrays.dtype, *(arrays.path(file.name) for file in arrays.files)]
    read = run_reader("olmo-core", OLMO_CORE, str(tmp_path), str(SEQUENCE_LENGTH), str(EOS), str(requested), *theirs)
    assert read["documents"] == [ids for ids, *_ in documents_in(arrays)]
    assert read["windows"] == windows_of(mix)
    assert read["paths"] == [f"s3://base/preprocessed/small/tiny/{file.name}" for file in mix.arrays.files]
    assert set(read["labels"]) == {"small"}
    for name, tokens in read["taken"].items():
        target = mix.lock.sources[name].target_tokens  # OLMo-core rounds up in every file and every pass
        assert target <= sum(tokens) <= target + len(tokens)


def test_datatrove_reads_our_documents_and_windows(tmp_path: Path, mix: SampledMix) -> None:
    planned = plan_export(mix, "datatrove", root=str(tmp_path / "out"), prefix=None, sequence_length=None, batch_sequences=None)
    write_export(planned, Output(str(tmp_path / "out")))
    read = run_reader("datatrove", DATATROVE, str(tmp_path / "out"), str(SEQUENCE_LENGTH))
    assert read["documents"] == [list(document.tokens) for document in read_arrays(Path(mix.arrays.root))]
    assert read["windows"] == windows_of(mix)
    for window, starts in zip(read["windows"], read["starts"], strict=True):
        assert starts == [0, *(at + 1 for at, token in enumerate(window[:-1]) if token == EOS)]
