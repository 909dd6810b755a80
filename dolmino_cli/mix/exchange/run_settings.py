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
    rate = _learning_rate(files, batch * length, steps)
    if rate is not None:
        sources["learning_rate"] = tuple(key for key in ("optimizer.learning_rate", "scheduler.alpha_f") if key in files.settings)
    training = Training(batch_sequences=batch, sequence_length=length, steps=steps, learning_rate=rate)
    duration = files.settings.get("max_duration")
    return Run(
        training=training, sources=sources, nominal_tokens=_tokens(duration) or None, epochs=None if steps else _epochs(duration)
    )


def _steps(files: FileList, batch_tokens: int) -> tuple[int | None, str]:
    """Where the run stops: `stop_at`, else `max_duration` in steps, or the whole steps of its tokens (olmo/train.py)."""
    if (stop := files.number("stop_at")) is not None:
        return stop, "stop_at"
    return _duration_steps(files, batch_tokens), "max_duration"


def _duration_steps(files: FileList, batch_tokens: int) -> int | None:
    """`max_duration` in steps; None where it is not said, or in epochs."""
    duration = files.settings.get("max_duration")
    tokens = _tokens(duration)
    if tokens is not None:
        return tokens // batch_tokens
    return None if duration is None or duration.endswith("ep") else files.number("max_duration")


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


def _learning_rate(files: FileList, batch_tokens: int, steps: int | None) -> LearningRate | None:
    """The endpoints of a linear schedule without warm-up; others have none to state.

    A run that stops before its schedule ends, at `t_max` or else at `max_duration`, ends at the rate that is left there
    (olmo/optim.py, LinearWithWarmup). None where it is not known how far that is: the schedule is counted in epochs.
    """
    rate, settings = files.settings.get("optimizer.learning_rate"), files.settings
    linear = settings.get("scheduler.name") == "linear_with_warmup" and settings.get("scheduler.t_warmup") == "0"
    if rate is None or not linear:
        return None
    key = "optimizer.learning_rate"
    try:
        start = float(rate)
        key = "scheduler.alpha_f"
        lowest = start * float(settings.get(key, "0.1"))
    except ValueError:
        raise ConfigError(f"{key} is {settings[key]!r}; expected a number") from None
    schedule = files.number("scheduler.t_max")
    if schedule is not None and settings.get("scheduler.units") == "tokens":
        schedule //= batch_tokens
    if schedule is None:
        schedule = _duration_steps(files, batch_tokens)
    if steps is None or (schedule is not None and steps >= schedule):
        return LearningRate(start=start, end=lowest)
    if not schedule:
        return None
    return LearningRate(start=start, end=start - (start - lowest) * (steps / schedule))
