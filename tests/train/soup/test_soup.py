"""A soup is the mean of its ingredients, as torch computes it in fp32, and the same bytes every time."""

from __future__ import annotations

import errno
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]")
pytest.importorskip("safetensors", reason="needs the extra [train]")

from safetensors.torch import load_file  # noqa: E402

from dolmino_cli.errors import ConfigError, DataError, DolminoError, RunFailed, StorageError  # noqa: E402
from dolmino_cli.train import tensor_file  # noqa: E402
from dolmino_cli.train.soup import mean  # noqa: E402
from dolmino_cli.train.soup.cook import cook  # noqa: E402
from dolmino_cli.train.soup.ingredient import Ingredient, open_ingredient  # noqa: E402
from dolmino_cli.train.soup.plan import plan_soup  # noqa: E402
from tests.train.soup.make import CONFIG, SHAPES, TOKENIZER, checkpoint, sharded, tensors  # noqa: E402


def opened(*folders: Path) -> list[Ingredient]:
    return [open_ingredient(str(folder), folder) for folder in folders]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0), (1.0, 1.0, 2.0)])
def test_mean_is_that_of_torch_in_fp32(tmp_path: Path, dtype: torch.dtype, weights: tuple[float, ...], monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(mean.mean_pieces, "__defaults__", (5,))  # pieces that do not divide the tensors
    made = [tensors(seed, dtype) for seed in (1, 2, 3)]
    folders = [checkpoint(tmp_path / str(seed), weights_of) for seed, weights_of in enumerate(made)]
    assert cook(plan_soup(opened(*folders), weights=weights), tmp_path / "soup")
    found = load_file(tmp_path / "soup" / "model.safetensors")
    for key in SHAPES:
        relative = [weight / max(weights) for weight in weights]
        expected = sum(weights_of[key].float() * weight for weights_of, weight in zip(made, relative, strict=True)) / sum(
            relative
        )
        assert found[key].dtype == dtype
        assert torch.equal(found[key], expected.to(dtype)), key
    assert torch.equal(found["steps"], made[0]["steps"])


def test_bf16_rounds_as_torch_does() -> None:
    bits = np.random.default_rng(0).integers(0, 2**32, 200_000, dtype=np.uint32).view(np.float32)
    values = np.concatenate([bits[np.isfinite(bits)], np.float32([0.0, -0.0, 1.00390625, 1.01171875, 1e-45])])
    ours = tensor_file.from_floats(values, "BF16").view(np.int16)
    assert np.array_equal(ours, torch.from_numpy(values).to(torch.bfloat16).view(torch.int16).numpy())
    assert np.array_equal(
        tensor_file.to_floats(ours.view(np.uint16), "BF16"),
        torch.from_numpy(ours).view(torch.bfloat16).float().numpy(),
        equal_nan=True,
    )


def test_sum_is_not_rounded_on_the_way(tmp_path: Path) -> None:
    """256 + 1 + 1 in bf16 is 256; a mean of bf16 sums would lose both ones."""
    parts = [{"w": torch.full((2,), value, dtype=torch.bfloat16)} for value in (256.0, 1.0, 1.0)]
    cook(plan_soup(opened(*(checkpoint(tmp_path / str(i), part) for i, part in enumerate(parts)))), tmp_path / "soup")
    assert load_file(tmp_path / "soup" / "model.safetensors")["w"].tolist() == [86.0, 86.0]


def test_weights_that_the_disk_does_not_give_in_full_are_no_mean(tmp_path: Path) -> None:
    """Of eight numbers one came: numpy would have added it to all of them."""
    parts = [{"w": torch.arange(8, dtype=torch.float32)} for _ in range(2)]
    ingredients = opened(*(checkpoint(tmp_path / str(i), part) for i, part in enumerate(parts)))
    path = tmp_path / "1/model.safetensors"
    path.write_bytes(path.read_bytes()[: -7 * 4])
    with pytest.raises(StorageError, match=rf"^{path}: cannot be read: 1 of 8 numbers came"):
        cook(plan_soup(ingredients), tmp_path / "soup")
    assert not (tmp_path / "soup").exists()


def test_a_checkpoint_that_the_disk_does_not_give_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = checkpoint(tmp_path / "a", tensors(1))
    opens = Path.open

    def refuse(path: Path, *arguments: str, **options: str) -> object:
        if path.name == "model.safetensors":
            raise OSError(errno.EIO, "Input/output error")
        return opens(path, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(StorageError, match=rf"^{folder}/model\.safetensors: cannot be read: Input/output error$"):
        opened(folder)


def test_files_are_cut_at_a_size_and_do_not_depend_on_the_ingredients_files(tmp_path: Path) -> None:
    made = [tensors(seed) for seed in (1, 2)]
    whole = [checkpoint(tmp_path / f"whole-{seed}", weights) for seed, weights in enumerate(made)]
    cut = [sharded(tmp_path / f"cut-{seed}", weights) for seed, weights in enumerate(made)]
    cook(plan_soup(opened(*whole)), tmp_path / "a")
    cook(plan_soup(opened(*cut), shard_bytes=60), tmp_path / "b")
    index = json.loads((tmp_path / "b" / "model.safetensors.index.json").read_text())
    assert len(set(index["weight_map"].values())) > 1
    found = {key: load_file(tmp_path / "b" / file)[key] for key, file in index["weight_map"].items()}
    for key, tensor in load_file(tmp_path / "a" / "model.safetensors").items():
        assert torch.equal(tensor, found[key])


def test_dtype_that_is_asked_for_is_written_and_named_in_the_config(tmp_path: Path) -> None:
    folders = [checkpoint(tmp_path / str(seed), tensors(seed)) for seed in (1, 2)]
    cook(plan_soup(opened(*folders), dtype="fp32"), tmp_path / "soup")
    found = load_file(tmp_path / "soup" / "model.safetensors")
    assert {key: tensor.dtype for key, tensor in found.items()} == {**dict.fromkeys(SHAPES, torch.float32), "steps": torch.int64}
    assert json.loads((tmp_path / "soup" / "config.json").read_text()) == {**CONFIG, "torch_dtype": "float32"}


def test_same_again_is_the_same_bytes_and_another_is_refused(tmp_path: Path) -> None:
    folders = [checkpoint(tmp_path / str(seed), tensors(seed)) for seed in (1, 2, 3)]
    plan = plan_soup(opened(*folders))
    assert cook(plan, tmp_path / "soup")
    first = contents(tmp_path / "soup")
    assert cook(plan, tmp_path / "again")
    assert contents(tmp_path / "again") == first
    assert not cook(plan, tmp_path / "soup")
    with pytest.raises(ConfigError, match="holds a soup of something else"):
        cook(plan_soup(opened(*folders), weights=[1, 1, 2]), tmp_path / "soup")
    with pytest.raises(ConfigError, match="is there and is no soup"):
        cook(plan, folders[0])
    assert contents(tmp_path / "soup") == first
    (tmp_path / "soup" / "tokenizer.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"tokenizer\.json was changed since"):
        cook(plan, tmp_path / "soup")


def test_record_names_every_ingredient_and_a_soup_remembers_its_own(tmp_path: Path) -> None:
    a, b, c = (checkpoint(tmp_path / name, tensors(seed)) for seed, name in enumerate("abc"))
    cook(plan_soup(opened(a, b), weights=[1, 3]), tmp_path / "ab")
    cook(plan_soup(opened(tmp_path / "ab", c)), tmp_path / "abc")
    record = json.loads((tmp_path / "abc" / "soup.json").read_text())
    inner = json.loads((tmp_path / "ab" / "soup.json").read_text())
    assert [entry["weight"] for entry in inner["ingredients"]] == [0.25, 0.75]
    assert record["ingredients"][0]["soup"] == inner
    assert "soup" not in record["ingredients"][1]
    assert record["ingredients"][1] == {"checkpoint": str(c), "weight": 0.5, "files": opened(c)[0].hashes()}
    assert record["files"].keys() == {"config.json", "model.safetensors", "tokenizer.json"}


def test_killed_run_leaves_no_output_and_its_rest_is_removed(tmp_path: Path) -> None:
    folders = [checkpoint(tmp_path / str(seed), tensors(seed)) for seed in (1, 2)]
    plan = plan_soup(opened(*folders))

    def killed(written: int) -> None:
        (tmp_path / "seen").write_text(" ".join(path.name for path in tmp_path.glob(".soup*")))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cook(plan, tmp_path / "soup", watch=killed)
    assert (tmp_path / "seen").read_text() == ".soup.partial"
    assert not list(tmp_path.glob("*soup*"))


def test_a_second_soup_of_the_same_name_is_refused_and_the_first_is_whole(tmp_path: Path) -> None:
    plan = plan_soup(opened(*(checkpoint(tmp_path / str(seed), tensors(seed)) for seed in (1, 2))))

    def second(written: int) -> None:
        with pytest.raises(RunFailed, match=r"another process is writing .*soup; wait until it has ended"):
            cook(plan, tmp_path / "soup")

    assert cook(plan, tmp_path / "soup", watch=second)
    assert cook(plan, tmp_path / "alone")
    assert contents(tmp_path / "soup") == contents(tmp_path / "alone")


BF16 = torch.bfloat16
VOCABULARY = {**TOKENIZER, "model": {"type": "BPE", "vocab": {"a": 1}}}
WRONG = {
    "another shape": ({"embed.weight": torch.zeros(8, 4, dtype=BF16)}, {}, r"BF16 \[7, 4\] in the first and BF16 \[8, 4\]"),
    "another dtype": ({"norm.weight": torch.zeros(4)}, {}, r"norm\.weight is BF16 \[4\] in the first and F32 \[4\] in the other"),
    "a key more": ({"extra": torch.zeros(1)}, {}, r"extra is absent in the first and a tensor of shape \[1\]"),
    "config": ({}, {"config.json": {**CONFIG, "hidden_size": 8}}, r"config\.json: hidden_size is 4 in the first and 8 in the"),
    "vocabulary": ({}, {"tokenizer.json": VOCABULARY}, r"tokenizer\.json: model\.vocab\.a is 0 in the first and 1"),
    "no tokenizer": ({}, {"tokenizer.json": None}, r"tokenizer\.json: the file is there in the first and absent in the other"),
    "special tokens": ({}, {"tokenizer_config.json": {"eos_token": "</s>"}}, r"tokenizer_config\.json: the file is absent"),
}


@pytest.mark.parametrize("change", WRONG)
def test_checkpoints_of_two_models_are_refused_by_file_key_and_values(tmp_path: Path, change: str) -> None:
    other, files, message = WRONG[change]
    a, b = checkpoint(tmp_path / "a", tensors(1)), checkpoint(tmp_path / "b", tensors(2) | other, files=files)
    with pytest.raises(ConfigError, match=message):
        plan_soup(opened(a, b))


def test_what_says_only_where_a_checkpoint_is_from_may_differ(tmp_path: Path) -> None:
    other = {"model_type": "olmo2", "hidden_size": 4, "dtype": "bfloat16", "transformers_version": "5.0", "_name_or_path": "x"}
    folders = [checkpoint(tmp_path / "a", tensors(1)), checkpoint(tmp_path / "b", tensors(2), config=other)]
    assert plan_soup(opened(*folders)).weights == (0.5, 0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"norm.weight": torch.tensor([0, 0, torch.inf, 0], dtype=torch.bfloat16)},
            r"tensor norm\.weight of .*b is not finite at \[2\]",
        ),
        (
            {"embed.weight": torch.full((7, 4), torch.nan, dtype=torch.bfloat16)},
            r"embed\.weight of .*b is not finite at \[0, 0\]",
        ),
        ({"steps": torch.tensor([1, 2, 4])}, r"tensor steps of .*b is of dtype I64, which has no mean"),
    ],
)
def test_values_without_a_mean_are_refused_and_nothing_is_left(
    tmp_path: Path, change: dict[str, torch.Tensor], message: str
) -> None:
    plan = plan_soup(opened(checkpoint(tmp_path / "a", tensors(1)), checkpoint(tmp_path / "b", tensors(2) | change)))
    with pytest.raises(DataError, match=message):
        cook(plan, tmp_path / "soup")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


@pytest.mark.parametrize("weights", [[1.0], [1.0, 0.0], [1.0, float("nan")], [1.0, -1.0]])
def test_weights_that_are_none_are_refused(tmp_path: Path, weights: list[float]) -> None:
    folders = [checkpoint(tmp_path / str(seed), tensors(seed)) for seed in (1, 2)]
    with pytest.raises(ConfigError, match="weights are"):
        plan_soup(opened(*folders), weights=weights)
    with pytest.raises(ConfigError, match="is given twice"):
        plan_soup(opened(folders[0], folders[0]))


@pytest.mark.parametrize("damage", ["cut", "garbage", "pickle", "index"])
def test_damaged_checkpoint_is_refused_by_name(tmp_path: Path, damage: str) -> None:
    folder = sharded(tmp_path / "a", tensors(1))
    file = folder / "model-00001-of-00004.safetensors"
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-3])
    elif damage == "garbage":
        file.write_bytes(b"x" * 100)
    elif damage == "index":
        file.unlink()
    else:
        (folder / "model.safetensors.index.json").unlink()
        (folder / "pytorch_model.bin").write_bytes(b"x")
    said = {"cut": "is cut short", "garbage": "is no safetensors file", "index": "which is not there", "pickle": "a pickle"}
    with pytest.raises(DolminoError, match=said[damage]) as refused:
        open_ingredient("a", folder)
    assert damage == "pickle" or "model" in str(refused.value)


def test_memory_is_of_pieces_not_of_tensors(tmp_path: Path) -> None:
    """Of tensors of 32 MB in fp32, a soup holds pieces, and never a whole one."""
    for seed in (1, 2, 3):
        checkpoint(tmp_path / str(seed), {"w": torch.full((2**23,), float(seed), dtype=torch.bfloat16)})
    plan = plan_soup(opened(*(tmp_path / str(seed) for seed in (1, 2, 3))), dtype="fp32")
    tracemalloc.start()
    cook(plan, tmp_path / "soup")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30e6
    assert bool((load_file(tmp_path / "soup" / "model.safetensors")["w"] == 2).all())
