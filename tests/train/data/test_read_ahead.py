"""Batches come in order, before they are asked for, and what goes wrong is told where it belongs."""

from __future__ import annotations

import threading

import pytest

from dolmino_cli.train.data.read_ahead import read_ahead


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("read-ahead")]


def test_batches_are_made_in_order_by_another_thread_and_only_so_many_ahead() -> None:
    made: list[int] = []
    fourth = threading.Event()

    def make(step: int) -> tuple[int, str]:
        made.append(step)
        if step == 4:
            fourth.set()
        return step, threading.current_thread().name

    batches = read_ahead(make, range(1, 8), depth=3)
    assert next(batches)[0] == 1  # one was taken, so that one more is made
    assert fourth.wait(60) and made == [1, 2, 3, 4]
    rest = list(batches)
    assert [step for step, _ in rest] == [2, 3, 4, 5, 6, 7] and all(name.startswith("read-ahead") for _, name in rest)
    assert readers() == []


def test_an_error_comes_where_the_batch_would_have_come() -> None:
    def make(step: int) -> int:
        if step == 3:
            raise ValueError("three")
        return step

    batches = read_ahead(make, range(1, 9), depth=5)
    assert [next(batches), next(batches)] == [1, 2]
    with pytest.raises(ValueError, match="three"):
        next(batches)
    assert readers() == []


def test_close_ends_the_thread_though_batches_are_waiting() -> None:
    made: list[int] = []
    batches = read_ahead(lambda step: made.append(step), range(1, 1000), depth=2)
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert readers() == [] and len(made) <= 4


def test_no_steps_are_no_batches() -> None:
    assert list(read_ahead(lambda step: step, range(5, 5), depth=4)) == []
