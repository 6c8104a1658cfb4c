"""The DB loss: by hand, against a literal float64 formula, and where there is nothing to learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from resnet18_ocrdet.model.loss import DBLoss, binarize, dice, nth_largest, sum_of_largest
from resnet18_ocrdet.structures import Maps, Targets


def paper_loss(**weights):
    """Without the minimum of negatives per image, which is more than the pixels of these maps."""
    return DBLoss(min_negatives=0, **weights)


def logit(p):
    return torch.log(p / (1 - p))


def plane(rows, dtype=torch.uint8):
    return torch.tensor([rows], dtype=dtype)


def maps(prob, thresh):
    """Maps that say these probabilities, (N, H, W)."""
    return Maps(logit(prob)[:, None], logit(thresh)[:, None])


def literal(prob_logits, thresh_logits, targets, ratio=3.0, mining=1.0):
    """The formulas of the paper in float64 numpy, from (N, H, W) logits."""
    p = 1 / (1 + np.exp(-prob_logits.double().numpy()))
    t = 1 / (1 + np.exp(-thresh_logits.double().numpy()))
    text, valid, level, border = (np.asarray(x, np.float64) for x in targets)
    bce = -(text * np.log(p) + (1 - text) * np.log(1 - p))
    on_text = bce[(text == 1) & (valid == 1)]
    on_rest = np.sort(bce[(text == 0) & (valid == 1)])[::-1]
    hard = min(len(on_rest), int(len(on_text) * ratio))
    kept = on_rest[: int(len(on_rest) ** (1 - mining) * hard**mining)]
    share = mining * hard / (len(on_text) + hard) + (1 - mining) / 2
    prob = (1 - share) * on_text.mean() + share * kept.mean()
    thresh = (np.abs(t - level / 255) * border).sum() / border.sum()
    b = 1 / (1 + np.exp(-50 * (p - t)))
    binary = 1 - 2 * (b * text * valid).sum() / ((b * valid).sum() + (text * valid).sum())
    return 5 * prob + 10 * thresh + binary, prob, thresh, binary


def random_case(seed, size=(2, 32, 48), spread=3.0):
    g = torch.Generator().manual_seed(seed)
    text = torch.zeros(size, dtype=torch.uint8)
    text[:, 8:14, 6:30] = 1
    valid = torch.ones(size, dtype=torch.uint8)
    valid[0, 20:28, 10:40] = 0
    valid[1, 10:20, 24:40] = 0  # text and background
    border = torch.zeros(size, dtype=torch.uint8)
    border[:, 5:18, 3:34] = 1
    level = torch.randint(77, 179, size, dtype=torch.uint8, generator=g)
    prob = torch.randn(size, generator=g) * spread + (text.float() * 4 - 2)
    thresh = torch.randn(size, generator=g)
    return prob, thresh, Targets(text, valid, level, border)


# 4 x 4: two text pixels, one don't-care pixel, 13 of background
TEXT = plane([[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
VALID = plane([[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 0]])
PROB = torch.tensor(
    [[[0.8, 0.5, 0.6, 0.1], [0.3, 0.1, 0.1, 0.1], [0.4, 0.1, 0.2, 0.1], [0.1, 0.1, 0.5, 0.99]]], dtype=torch.float64
)
NO_BORDER = torch.zeros_like(TEXT)


def hand_targets(text=TEXT, valid=VALID):
    return Targets(text, valid, torch.full_like(text, 77), NO_BORDER)


def test_cross_entropy_keeps_three_hard_negatives_per_text_pixel():
    loss = paper_loss()(maps(PROB, torch.full_like(PROB, 0.3)), hand_targets())
    # two positives: 0.8 and 0.5. 3 · 2 = 6 hardest of 13 negatives: 0.6 0.5 0.4 0.3 0.2 and one of the 0.1;
    # the don't-care pixel (0.99, the hardest of all) is not among them
    positives = -math.log(0.8) - math.log(0.5)
    negatives = -sum(math.log(1 - p) for p in (0.6, 0.5, 0.4, 0.3, 0.2, 0.1))
    assert loss.prob.item() == pytest.approx((positives + negatives) / 8, rel=1e-5)


def test_the_ratio_is_an_argument():
    loss = paper_loss(negative_ratio=1.0)(maps(PROB, torch.full_like(PROB, 0.3)), hand_targets())
    expected = -math.log(0.8) - math.log(0.5) - math.log(1 - 0.6) - math.log(1 - 0.5)
    assert loss.prob.item() == pytest.approx(expected / 4, rel=1e-5)


def test_no_more_negatives_than_there_are():
    # 2 x 2: 3 text pixels would take 9 negatives; there is one
    text, prob = plane([[1, 1], [1, 0]]), torch.tensor([[[0.5, 0.5], [0.5, 0.5]]], dtype=torch.float64)
    loss = paper_loss()(maps(prob, prob), Targets(text, torch.ones_like(text), text, torch.zeros_like(text)))
    assert loss.prob.item() == pytest.approx(math.log(2), rel=1e-6)


def test_hard_negatives_are_chosen_over_the_whole_batch():
    # the text of one image counts for both: 3 negatives, the hardest of both images
    text = torch.tensor([[[1, 0], [0, 0]], [[0, 0], [0, 0]]], dtype=torch.uint8)
    prob = torch.tensor([[[0.5, 0.1], [0.2, 0.1]], [[0.9, 0.1], [0.8, 0.1]]], dtype=torch.float64)
    targets = Targets(text, torch.ones_like(text), text, torch.zeros_like(text))
    loss = paper_loss()(maps(prob, prob), targets)
    expected = -math.log(0.5) - math.log(1 - 0.9) - math.log(1 - 0.8) - math.log(1 - 0.2)
    assert loss.prob.item() == pytest.approx(expected / 4, rel=1e-5)


@pytest.mark.parametrize("count", [0, 1, 7, 500, 1000])
def test_the_largest_values_are_found(count):
    values = torch.randn(1000, generator=torch.manual_seed(count)).to(torch.bfloat16).float()
    expected = values.topk(count).values.sum()
    torch.testing.assert_close(sum_of_largest(values, count), expected)
    if count:
        assert nth_largest(values, count) == values.topk(count).values.min()


def test_equal_values_share_the_gradient():
    """Three of 5, 2, 2, 2, 1, 0: the 5, and two of the three 2s."""
    values = torch.tensor([2.0, 0.0, 5.0, 2.0, 1.0, 2.0], requires_grad=True)
    total = sum_of_largest(values, 3)
    total.backward()
    assert total.item() == 9.0
    assert values.grad.tolist() == pytest.approx([2 / 3, 0, 1, 2 / 3, 0, 2 / 3])


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_value_that_is_not_finite_is_not_dropped(bad):
    values = torch.tensor([1.0, bad, 3.0, 2.0])
    assert not math.isfinite(sum_of_largest(values, 2).item())


def test_the_balanced_form_weighs_text_and_background_equally():
    loss = paper_loss()(maps(PROB, torch.full_like(PROB, 0.3)), hand_targets(), mining=0.0)
    on_text = (-math.log(0.8) - math.log(0.5)) / 2
    # 13 negatives: 0.6 0.5 0.4 0.3 0.2 and eight of 0.1
    on_rest = -(sum(math.log(1 - p) for p in (0.6, 0.5, 0.4, 0.3, 0.2)) + 8 * math.log(0.9)) / 13
    assert loss.prob.item() == pytest.approx((on_text + on_rest) / 2, rel=1e-5)


def test_threshold_l1():
    thresh = torch.tensor([[[0.5, 0.3], [0.7, 0.9]]], dtype=torch.float64)
    level = plane([[102, 102], [153, 0]])  # 0.4, 0.4, 0.6, 0.0
    border = plane([[1, 1], [1, 0]])
    text = torch.zeros_like(border)
    loss = paper_loss()(maps(thresh, thresh), Targets(text, torch.ones_like(text), level, border))
    # (0.1 + 0.1 + 0.1) / 3: the last pixel, 0.9 off, lies outside the border
    assert loss.thresh.item() == pytest.approx(0.1, rel=1e-5)


def test_dice_by_hand():
    binary = torch.tensor([[0.9, 0.5], [0.2, 1.0]])
    text, valid = torch.tensor([[1.0, 1.0], [0.0, 1.0]]), torch.tensor([[1.0, 1.0], [1.0, 0.0]])
    # 1 - 2 · 1.4 / (1.6 + 2): the don't-care pixel counts nowhere
    assert dice(binary, text, valid).item() == pytest.approx(1 - 2.8 / 3.6)
    assert dice(text, text, valid).item() == pytest.approx(0)
    assert dice(1 - text, text, valid).item() == pytest.approx(1)
    assert dice(torch.zeros(2, 2), torch.zeros(2, 2), valid).item() == 1


def test_binarize_by_hand():
    assert binarize(torch.tensor(0.5), torch.tensor(0.5)).item() == 0.5
    # 50 · 0.1 = 5
    assert binarize(torch.tensor(0.6), torch.tensor(0.5)).item() == pytest.approx(1 / (1 + math.exp(-5)), rel=1e-4)
    assert binarize(torch.tensor(0.0), torch.tensor(1.0)).item() == pytest.approx(0, abs=1e-20)


def test_weights_are_5_10_1():
    prob, thresh, targets = random_case(0)
    loss = paper_loss()(Maps(prob[:, None], thresh[:, None]), targets)
    assert loss.total.item() == pytest.approx((5 * loss.prob + 10 * loss.thresh + 1 * loss.binary).item(), rel=1e-6)
    assert min(loss.prob, loss.thresh, loss.binary) > 0.01
    other = paper_loss(prob_weight=2.0, thresh_weight=0.0, binary_weight=3.0)(
        Maps(prob[:, None], thresh[:, None]), targets
    )
    assert other[1:] == loss[1:]
    assert other.total.item() == pytest.approx((2 * loss.prob + 3 * loss.binary).item(), rel=1e-6)


@pytest.mark.parametrize("mining", [1.0, 0.4, 0.0])
@pytest.mark.parametrize("seed", range(4))
def test_equals_the_literal_formula(seed, mining):
    prob, thresh, targets = random_case(seed)
    loss = paper_loss()(Maps(prob[:, None], thresh[:, None]), targets, mining)
    expected = literal(prob, thresh, targets, mining=mining)
    assert [term.item() for term in loss] == pytest.approx(expected, rel=1e-5)
    assert all(term.dtype == torch.float32 and term.ndim == 0 for term in loss)


@pytest.mark.parametrize("mining", [1.0, 0.4, 0.0])
@pytest.mark.parametrize("spread", [1.0, 6.0])
def test_bf16_maps_cost_less_than_half_a_percent(mining, spread):
    prob, thresh, targets = random_case(5, (2, 64, 96), spread)
    loss = paper_loss()(Maps(prob.bfloat16()[:, None], thresh.bfloat16()[:, None]), targets, mining)
    expected = literal(prob, thresh, targets, mining=mining)
    assert loss.total.dtype == torch.float32
    assert [term.item() for term in loss] == pytest.approx(expected, rel=0.005)


def test_nothing_is_computed_in_bf16():
    prob, thresh, targets = random_case(6)
    low = Maps(prob.bfloat16()[:, None], thresh.bfloat16()[:, None])
    assert paper_loss()(low, targets) == paper_loss()(Maps(*(plane.float() for plane in low)), targets)


def test_confident_mistakes_are_not_clamped():
    # a logit of +60 on background costs 60; in the probability form it would be infinite, clamped at 100 or lost
    text = plane([[1, 0], [0, 0]])
    prob = torch.tensor([[[[-60.0, 60.0], [-60.0, -60.0]]]], requires_grad=True)
    targets = Targets(text, torch.ones_like(text), text, torch.zeros_like(text))
    loss = paper_loss()(Maps(prob, torch.zeros(1, 1, 2, 2)), targets)
    # one text pixel and three negatives: (60 + 60 + 0 + 0) / 4
    assert loss.prob.item() == pytest.approx(30)
    loss.total.backward()
    assert torch.isfinite(prob.grad).all()
    assert prob.grad[0, 0, 0].tolist() == pytest.approx([-5 / 4, 5 / 4])


def run(targets, mining, dtype=torch.float32):
    g = torch.Generator().manual_seed(1)
    shape = (targets.prob_map.shape[0], 1, *targets.prob_map.shape[1:])
    prob = torch.randn(shape, generator=g).to(dtype).requires_grad_()
    thresh = torch.randn(shape, generator=g).to(dtype).requires_grad_()
    loss = paper_loss()(Maps(prob, thresh), targets, mining)
    loss.total.backward()
    return loss, prob.grad, thresh.grad


@pytest.mark.parametrize("mining", [1.0, 0.4, 0.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("case", ["no text", "only don't-care", "only text"])
def test_one_sided_batches_give_finite_terms_and_gradients(case, dtype, mining):
    zeros, ones = torch.zeros(2, 8, 8, dtype=torch.uint8), torch.ones(2, 8, 8, dtype=torch.uint8)
    targets = {
        "no text": Targets(zeros, ones, zeros + 77, zeros),
        "only don't-care": Targets(zeros, zeros, zeros + 77, zeros),
        "only text": Targets(ones, ones, ones * 77, ones),
    }[case]
    loss, prob_grad, thresh_grad = run(targets, mining, dtype)
    assert all(torch.isfinite(term) for term in loss)
    assert torch.isfinite(prob_grad).all() and torch.isfinite(thresh_grad).all()
    if case == "only don't-care":
        assert not prob_grad.any() and not thresh_grad.any()
    if case != "only text":
        assert loss.thresh.item() == 0 and loss.binary.item() == 1


@pytest.mark.parametrize("mining", [1.0, 0.4, 0.0])
def test_a_batch_without_text_trains_on_background(mining):
    # three negatives for each of no positives would be none: the batch would be wasted (features 1.7, row 10)
    zeros = torch.zeros(2, 8, 8, dtype=torch.uint8)
    loss, prob_grad, _ = run(Targets(zeros, zeros + 1, zeros + 77, zeros), mining)
    assert loss.prob > 0
    assert (prob_grad >= 0).all() and prob_grad.any()  # downwards, where anything


@pytest.mark.parametrize("mining", [1.0, 0.4, 0.0])
def test_dont_care_pixels_have_no_gradient(mining):
    prob, thresh, targets = random_case(3)
    prob.requires_grad_()
    paper_loss()(Maps(prob[:, None], thresh[:, None]), targets, mining).total.backward()
    assert not prob.grad[targets.prob_mask == 0].any()
    assert prob.grad[(targets.prob_map == 1) & (targets.prob_mask == 1)].all()


def test_the_loss_ignores_dont_care_pixels():
    prob, thresh, targets = random_case(3)
    criterion = paper_loss()
    for mining in (1.0, 0.0):
        expected = criterion(Maps(prob[:, None], thresh[:, None]), targets, mining)
        moved = torch.where(targets.prob_mask == 0, 50.0, prob)
        assert criterion(Maps(moved[:, None], thresh[:, None]), targets, mining) == expected


def test_maps_without_a_threshold_head_are_a_programming_error():
    with pytest.raises(AssertionError, match="threshold head"):
        paper_loss()(Maps(torch.zeros(1, 1, 4, 4), None), hand_targets())
