"""A pool against a list: what stays in it, and what is nearest."""

import pytest
import torch

from tutorial_lib.training.pool import Pool


def drawn(n: int, seed: int) -> torch.Tensor:
    return torch.randn(n, 5, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("sizes", [[3, 3, 3], [1, 4, 2, 5], [9], [7, 1, 9, 2], [4, 4, 4, 4]])
def test_a_pool_is_a_list_that_forgets_its_beginning(sizes: list[int]) -> None:
    pool, slow = Pool(7), []
    for k, n in enumerate(sizes):
        added = drawn(n, k)
        pool.add(added)
        slow = (slow + added.tolist())[-7:]
        assert len(pool) == len(slow)
        queries = drawn(6, 100 + k)
        for query, found in zip(queries.tolist(), pool.nearest(queries).tolist(), strict=True):
            best = max(slow, key=lambda row, q=query: sum(a * b for a, b in zip(q, row, strict=True)))
            assert found == pytest.approx(best)


def test_no_gradient_goes_through_it() -> None:
    pool, added = Pool(2), drawn(2, 0).requires_grad_()
    pool.add(added)
    assert not pool.nearest(drawn(3, 1).requires_grad_()).requires_grad


def test_it_goes_on_from_its_state() -> None:
    one, other = Pool(4), Pool(4)
    one.add(drawn(3, 0))
    other.restore(one.state())
    for pool in (one, other):
        pool.add(drawn(3, 1))
    assert torch.equal(one.nearest(drawn(9, 2)), other.nearest(drawn(9, 2)))
    empty = Pool(4)
    empty.restore(Pool(4).state())
    assert len(empty) == 0


def test_what_is_no_pool_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one embedding, not 0"):
        Pool(0)
    with pytest.raises(ValueError, match="the pool is empty"):
        Pool(3).nearest(drawn(1, 0))
