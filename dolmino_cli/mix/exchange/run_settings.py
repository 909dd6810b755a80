"""How a configuration's run trains on its files: steps, batch and learning rate, out of OLMo's settings."""

from __future__ import annotations

from dataclasses import dataclass

from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.exchange.file_list import FileList
from dolmino_cli.mix.training import LearningRate, Training


@dataclass(frozen=True, kw_only=True)
class Run:
    """A training run, with the settings that each of its numbers came from."""

    training: Training
    sources: dict[str, tuple[str, ...]]
    """Field of Training -> OLMo's keys."""
    nominal_tokens: int | None
    """The tokens that `max_duration` asks for, of which the steps make somewhat more or less."""
    epochs: int | None
    """The passes over the list where `max_duration` asks for those; a manifest's run without steps is one."""

    @property
    def consumed_tokens(self) -> int | None:
        """Tokens of the windows that its steps take; None for whole epochs."""
        return None if self.training.steps is None else self.training.steps * self.training.batch_tokens


def run_of(files: FileList) -> Run | None:
    """The run that the settings describe; None where they give no batch in sequences. Raises ConfigError for odd values."""
    batch, length = files.number("global_train_batch_size"), files.number("model.max_sequence_length")
    if batch is None or length is None:
        return None
    if batch < 1 or length < 1:
        raise ConfigError(f"global_train_batch_size is {batch} and max_sequence_length {length}; both must be at least 1")
    steps, key = _steps(files, batch * length)
    sources: dict[str, tuple[str, ...]] = {
        "batch_sequences": ("global_train_batch_size",),
        "sequence_length": ("model.max_sequence_length",),
    }
    if steps is not None:
        sources["steps"] = (key,)
    rate = _learning_rate(files)
    if rate is not None:
        sources["learning_rate"] = tuple(key for key in ("optimizer.learning_rate", "scheduler.alpha_f") if key in files.settings)
    training = Training(batch_sequences=batch, sequence_length=length, steps=steps, learning_rate=rate)
    duration = files.settings.get("max_duration")
    return Run(
        training=training, sources=sources, nominal_tokens=_tokens(duration) or None, epochs=None if steps else _epochs(duration)
    )


def _steps(files: FileList, batch_tokens: int) -> tuple[int | None, str]:
    """Where the run stops: `stop_at`, else `max_duration` in steps, or the whole steps of its tokens (olmo/train.py)."""
    duration = files.settings.get("max_duration")
    tokens = _tokens(duration)
    if (stop := files.number("stop_at")) is not None:
        return stop, "stop_at"
    if tokens is not None:
        return tokens // batch_tokens, "max_duration"
    return (None if duration is None or duration.endswith("ep") else files.number("max_duration")), "max_duration"


def _tokens(duration: str | None) -> int | None:
    """The tokens of `100e9T`; None for a duration in steps or epochs. Raises ConfigError."""
    if duration is None or not duration.endswith("T"):
        return None
    try:
        return int(float(duration[:-1]))
    except (ValueError, OverflowError):
        raise ConfigError(f"max_duration is {duration!r}; expected steps, tokens such as 100e9T, or epochs such as 1ep") from None


def _epochs(duration: str | None) -> int | None:
    if duration is None or not duration.endswith("ep"):
        return None
    try:
        return int(duration[:-2])
    except ValueError:
        raise ConfigError(f"max_duration is {duration!r}; expected steps, tokens such as 100e9T, or epochs such as 1ep") from None


def _learning_rate(files: FileList) -> LearningRate | None:
    """The endpoints of a linear schedule without warm-up; others have none to state."""
    rate, settings = files.settings.get("optimizer.learning_rate"), files.settings
    linear = settings.get("scheduler.name") == "linear_with_warmup" and settings.get("scheduler.t_warmup") == "0"
    if rate is None or not linear:
        return None
    try:
        start = float(rate)
        return LearningRate(start=start, end=start * float(settings.get("scheduler.alpha_f", "0.1")))
    except ValueError:
        raise ConfigError(f"optimizer.learning_rate is {rate!r}; expected a number") from None
