"""What a speed means: model FLOPs utilisation (MFU) of the device, time and energy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dolmino_cli.train.planning.devices import device_named
from dolmino_cli.train.planning.sizes import sizes_of


@dataclass(frozen=True, kw_only=True)
class Throughput:
    """Of one run: a model, a sequence length, and `gpus` devices of one kind.

    What cannot be known is None and stays blank: the FLOPs of a model whose family is not counted (`sizes`), the peak and the
    power of a device that is not in the table (`devices`).
    """

    gpus: int
    flops_full: float | None
    """Per token, attention over the whole window (PaLM, appendix B)."""
    flops_causal: float | None
    """Per token, attention over what a token can see: half of the window."""
    peak: float | None
    """Of one GPU, in dense bf16 operations per second."""
    watts: float | None
    """Of one GPU, at most."""

    @classmethod
    def of(
        cls, config: Mapping[str, Any], *, sequence_length: int, device_name: str, gpus: int, watts: float | None = None
    ) -> Throughput:
        """For the model of a config.json (or of a transformers configuration's `to_dict()`) on devices of that driver's name.

        `watts` is a power cap that the driver or the user knows of; without it the board's limit is taken.
        """
        sizes, device = sizes_of(config), device_named(device_name)
        return cls(
            gpus=gpus,
            flops_full=sizes.flops_per_token(sequence_length) if sizes else None,
            flops_causal=sizes.flops_per_token(sequence_length, attention="causal") if sizes else None,
            peak=device.peak if device else None,
            watts=watts if watts is not None else (device.watts if device else None),
        )

    def mfu(self, tokens_per_second_per_gpu: float, attention: Literal["full", "causal"] = "full") -> float | None:
        """The share (0 to 1) of the device's peak that the model's own arithmetic reaches."""
        flops = self.flops_full if attention == "full" else self.flops_causal
        if flops is None or self.peak is None:
            return None
        return tokens_per_second_per_gpu * flops / self.peak

    def kilowatt_hours(self, seconds: float) -> float | None:
        """At most so much energy for all GPUs: GPUs x their power limit x time. Hosts, network and cooling are not in it."""
        return None if self.watts is None else self.gpus * self.watts * seconds / 3.6e6
