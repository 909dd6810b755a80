"""In chunks, the loss and its gradients are those of the plain form, for every size of a chunk."""

from __future__ import annotations

import pytest
import torch

from dolmino_cli.train.model.head import Head
from dolmino_cli.train.model.head_form import HeadForm

TOKENS, WIDTH, VOCABULARY = 23, 12, 37


def made(counted: float = 0.7) -> tuple[torch.Tensor, torch.nn.Linear, torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(TOKENS, WIDTH, generator=generator).requires_grad_()
    linear = torch.nn.Linear(WIDTH, VOCABULARY, bias=True)
    with torch.no_grad():
        linear.weight.copy_(torch.randn(VOCABULARY, WIDTH, generator=generator))
        linear.bias.copy_(torch.randn(VOCABULARY, generator=generator))
    targets = torch.randint(VOCABULARY, (TOKENS,), generator=generator)
    counts = torch.rand(TOKENS, generator=generator) < counted
    return hidden, linear, targets, counts, torch.randint(3, (TOKENS,), generator=generator)


def plain(hidden: torch.Tensor, linear: torch.nn.Linear, form: HeadForm) -> torch.Tensor:
    logits = linear(hidden).float() * form.scale
    return logits if form.softcap is None else form.softcap * torch.tanh(logits / form.softcap)


@pytest.mark.parametrize("chunk", [1, 5, 23, 100])
@pytest.mark.parametrize("form", [HeadForm(), HeadForm(scale=0.25), HeadForm(softcap=3.0)], ids=["plain", "scaled", "capped"])
@pytest.mark.parametrize("z_loss", [0.0, 0.1])
def test_gradients_of_the_plain_form(chunk: int, form: HeadForm, z_loss: float) -> None:
    hidden, linear, targets, counts, sources = made()
    logits = plain(hidden, linear, form)
    ce = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    z = logits.logsumexp(-1) ** 2
    ((ce + z_loss * z) * counts / 7).sum().backward()
    expected = [tensor.grad.clone() for tensor in (hidden, linear.weight, linear.bias)]
    hidden.grad = None
    linear.zero_grad()

    head = Head(linear, form, chunk, compile=False)
    loss, ce_sum, z_sum, ce_S, counted_S = head(hidden, targets, counts, sources, z_loss=z_loss, scale=1 / 7, sources=3)
    loss.backward()
    for found, right in zip([hidden.grad, head.weight.grad, head.bias.grad], expected, strict=True):
        assert torch.allclose(found, right, rtol=1e-6, atol=1e-6)
    # Cross-entropy is reported without z, and z without its factor.
    assert ce_sum.item() == pytest.approx((ce * counts).sum().item(), rel=1e-6)
    assert z_sum.item() == pytest.approx((z * counts).sum().item(), rel=1e-6)
    assert loss.item() == pytest.approx((ce_sum + z_loss * z_sum).item() / 7, rel=1e-6)
    assert ce_S.tolist() == pytest.approx([((ce * counts)[sources == source]).sum().item() for source in range(3)], rel=1e-5)
    assert counted_S.tolist() == [int((counts & (sources == source)).sum()) for source in range(3)]


@pytest.mark.parametrize("counted", [0.0, 1.1], ids=["all masked", "none masked"])
def test_all_or_nothing_counts(counted: float) -> None:
    hidden, linear, targets, counts, sources = made(counted)
    head = Head(linear, HeadForm(), 5, compile=False)
    loss, *_, counted_S = head(hidden, targets, counts, sources, z_loss=0.1, scale=1.0, sources=3)
    loss.backward()
    assert counted_S.sum().item() == (TOKENS if counted else 0)
    assert (hidden.grad.abs().sum() > 0).item() is bool(counted)


def test_what_is_measured_is_not_differentiated() -> None:
    hidden, linear, targets, counts, sources = made()
    head = Head(linear, HeadForm(), 5, compile=False)
    loss, *sums = head(hidden, targets, counts, sources, z_loss=0.1, scale=1.0, sources=3)
    assert loss.requires_grad and not any(part.requires_grad for part in sums)
    with torch.no_grad():
        again, *_ = head(hidden, targets, counts, sources, z_loss=0.1, scale=1.0, sources=3)
    assert again.item() == loss.item()


def test_a_later_factor_reaches_the_gradients() -> None:
    """Whoever multiplies the loss after the head, as gradient accumulation may, gets gradients so multiplied."""
    gradients = []
    for factor in (1.0, 3.0):
        hidden, linear, targets, counts, sources = made()
        head = Head(linear, HeadForm(), 5, compile=False)
        (head(hidden, targets, counts, sources, z_loss=0.1, scale=1.0, sources=3)[0] * factor).backward()
        gradients.append((hidden.grad, head.weight.grad))
    for one, three in zip(*gradients, strict=True):
        assert torch.allclose(3 * one, three)


def test_bf16_is_as_exact_as_the_plain_form() -> None:
    """Sums over chunks are in fp32: many small chunks lose nothing against one."""
    hidden, linear, targets, counts, sources = made()
    exact = []
    for chunk, dtype in ((23, torch.float32), (23, torch.bfloat16), (1, torch.bfloat16)):
        head = Head(linear, HeadForm(), chunk, compile=False).to(dtype)
        given = hidden.detach().to(dtype).requires_grad_()
        head(given, targets, counts, sources, z_loss=0.1, scale=1.0, sources=3)[0].backward()
        exact.append(head.weight.grad.float())
        head.weight.grad = None
    whole, many = ((found - exact[0]).norm() / exact[0].norm() for found in exact[1:])
    assert many < 1.5 * whole < 0.03
