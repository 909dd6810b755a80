"""A Transformer sequence classifier on a device: texts in, logits out. The one file besides `train` that imports torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa

from dolmino_cli.errors import ConfigError, MissingExtra, first_line
from dolmino_cli.executors import local
from dolmino_cli.kernels.length_batches import length_batches, pad_rows
from dolmino_cli.stages.classifier_folder import ModelFolder, find_model
from dolmino_cli.stages.classifier_tokens import ClassifierTokenizer

if TYPE_CHECKING:
    import torch

Dtype = Literal["float32", "bfloat16", "float16"]
Device = Literal["cpu", "cuda"]
Compile = Literal["auto", "yes", "no"]

# On a CPU the activations of a few long documents fill its caches: 8,192 tokens at once are 5 to 10 % slower (measured).
_BATCH_TOKENS = {"cpu": 1024, "cuda": 32_768}
_MOST_TOKENIZER_THREADS = 8  # for one GPU; a core tokenizes some 1,500 documents a second


class ClassifierModel:
    """A loaded model with its tokenizer; `load_model` keeps one per process and set of parameters.

    On a CPU one thread computes: worker processes are the parallelism, and a score then has the same bits for any number
    of them. With several GPUs worker n takes GPU n modulo their number.
    """

    def __init__(
        self, folder: ModelFolder, *, max_tokens: int, dtype: Dtype, device: Device, batch_tokens: int | None, compile: Compile
    ) -> None:
        torch = import_torch()
        self.device = torch.device(device)
        threads = 1
        if device == "cuda":
            self.device = torch.device("cuda", local.worker_number() % torch.cuda.device_count())
            threads = max(1, min(_MOST_TOKENIZER_THREADS, local.usable_cores() // torch.cuda.device_count()))
        self.tokenizer = ClassifierTokenizer(folder.path, max_tokens=max_tokens, threads=threads)
        model = _read_model(folder, getattr(torch, dtype))
        positions = getattr(model.config, "max_position_embeddings", max_tokens)
        if max_tokens > positions:
            raise ConfigError(f"classifier: max_tokens {max_tokens} is more than the {positions} positions of {folder.path}")
        self.labels = tuple(str(model.config.id2label[number]) for number in range(model.config.num_labels))
        self.many_of = model.config.problem_type == "multi_label_classification"
        self.name = torch.cuda.get_device_name(self.device) if device == "cuda" else "cpu"
        self._batch_tokens = batch_tokens or _BATCH_TOKENS[device]
        model = model.to(self.device).eval()
        self._forward: Any = model
        # Compiling pays where launching kernels and moving activations cost: on a GPU.
        if compile == "yes" or (compile == "auto" and device == "cuda"):
            self._forward = _compiled(model, must=compile == "yes")

    def logits(self, text: pa.LargeStringArray) -> np.ndarray:
        """Documents x labels, float32. Truncated to `max_tokens`; an empty text is its special tokens."""
        import torch

        rows, parts = [], []
        with _one_thread(), torch.inference_mode():
            before = 0
            for window in self.tokenizer.windows(text):
                for batch in length_batches(np.diff(window.offsets), self._batch_tokens):
                    ids, real = pad_rows(window.ids, window.offsets, batch, self.tokenizer.pad_id)
                    parts.append(self._run(ids, real))
                    rows.append(before + batch)
                before += len(window.offsets) - 1
            # Only here is a GPU waited for: until now it was given batch after batch.
            found = torch.cat(parts).float().cpu().numpy() if parts else np.empty((0, len(self.labels)), np.float32)
        logits = np.empty_like(found)
        if rows:
            logits[np.concatenate(rows)] = found
        return logits

    def _run(self, ids: np.ndarray, real: np.ndarray) -> torch.Tensor:
        # Without padding no mask is given, which lets attention take its fastest kernel.
        mask = None if real.all() else self._send(real.astype(np.int64))
        logits: torch.Tensor = self._forward(input_ids=self._send(ids), attention_mask=mask).logits
        return logits

    def _send(self, array: np.ndarray) -> torch.Tensor:
        import torch

        tensor = torch.from_numpy(array)
        return tensor.pin_memory().to(self.device, non_blocking=True) if self.device.type == "cuda" else tensor


@lru_cache(maxsize=8)  # models and their float32 references
def load_model(
    model: str,
    revision: str | None,
    max_tokens: int,
    dtype: Dtype,
    device: Device,
    batch_tokens: int | None,
    compile: Compile,
) -> tuple[ClassifierModel, ModelFolder]:
    """The model and where it lies. Raises ConfigError, StorageError, MissingExtra."""
    import_torch()
    folder = find_model(model, revision)
    loaded = ClassifierModel(
        folder, max_tokens=max_tokens, dtype=dtype, device=device, batch_tokens=batch_tokens, compile=compile
    )
    return loaded, folder


def choose_device(asked: Literal["auto", "cpu", "cuda"]) -> Device:
    """The device that is there. Raises ConfigError when a GPU is asked for and none is."""
    torch = import_torch()
    if asked == "cuda" and not torch.cuda.is_available():
        raise ConfigError("classifier: device cuda, and PyTorch sees no GPU here; write device: auto or cpu")
    return "cpu" if asked == "cpu" or not torch.cuda.is_available() else "cuda"


def choose_dtype(asked: Literal["auto", "float32", "bfloat16", "float16"], device: Device) -> Dtype:
    """bfloat16 where the device multiplies it natively (AMX or AVX512_BF16 on a CPU), else float16 on a GPU, float32 on a CPU."""
    if asked != "auto":
        return asked
    torch = import_torch()
    if device == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
    features: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # not there in older versions
    return "bfloat16" if features.get("amx_bf16") or features.get("avx512_bf16") else "float32"


def import_torch() -> Any:
    """torch, with transformers there too. Raises MissingExtra."""
    try:
        import torch
        import transformers  # noqa: F401
    except ImportError as error:
        missing = error.name or "torch"
        raise MissingExtra(missing, extra="classifier", needed_for="the stage `classifier`") from None
    return torch


def _read_model(folder: ModelFolder, dtype: torch.dtype) -> Any:
    import transformers

    transformers.utils.logging.disable_progress_bar()
    try:
        model, found = transformers.AutoModelForSequenceClassification.from_pretrained(
            folder.path,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
    except Exception as error:  # noqa: BLE001 — transformers and safetensors raise many kinds for what they cannot read.
        cause = first_line(error)
        raise ConfigError(f"classifier: {folder.path} cannot be loaded ({cause})") from None
    # transformers would go on with random values for these.
    lacking = sorted([*found["missing_keys"], *(str(key[0]) for key in found["mismatched_keys"])])
    if lacking:
        raise ConfigError(
            f"classifier: the weights of {folder.path} lack {len(lacking)} of the model's parameters: {', '.join(lacking[:3])}; "
            "give a model that was trained as a classifier"
        )
    return model


def _compiled(model: Any, *, must: bool) -> Any:
    """The model compiled for shapes that vary; itself where that cannot be done (no C compiler, say) and need not."""
    import torch

    compiled = torch.compile(model, dynamic=True)
    try:
        with torch.inference_mode():
            compiled(input_ids=torch.zeros((2, 8), dtype=torch.int64, device=model.device), attention_mask=None)
    except Exception as error:  # noqa: BLE001 — a compiler fails in many ways.
        if must:
            cause = first_line(error)
            raise ConfigError(f"classifier: the model cannot be compiled here ({cause}); write compile: auto or no") from None
        return model
    return compiled


@contextmanager
def _one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
