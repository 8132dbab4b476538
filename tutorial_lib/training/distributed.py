"""One model on several GPUs or hosts, with the gradients of one process that has the whole batch.

`torchrun` starts the processes. Each runs the picture and text towers on its share of the batch, batch normalization
sees the whole batch, the loss is computed on everybody's embeddings, and gradients are averaged. Without `torchrun`
every function here leaves its argument as it is.
"""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Iterator
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

T = TypeVar("T")

#: A process waits this long for the others: one of them may be fetching data or measuring.
PATIENCE = datetime.timedelta(hours=6)


class WorkerError(RuntimeError):
    """The processes of a group cannot work together."""


def size() -> int:
    """Number of processes that train together.

    Example:
        >>> size()  # not started by `torchrun`
        1
    """
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Number of this process, from 0.

    Example:
        >>> rank()  # not started by `torchrun`
        0
    """
    return dist.get_rank() if dist.is_initialized() else 0


def local_device() -> str | None:
    """The GPU of this process where `torchrun` started several on a host, or `None`.

    Example:
        >>> from unittest import mock
        >>> gpus = mock.patch.multiple("torch.cuda", is_available=lambda: True, device_count=lambda: 8)
        >>> with gpus, mock.patch.dict(os.environ, LOCAL_RANK="3"):  # as `torchrun` starts the fourth of eight
        ...     local_device()
        'cuda:3'
    """
    if "LOCAL_RANK" in os.environ and torch.cuda.is_available():
        return f"cuda:{int(os.environ['LOCAL_RANK']) % torch.cuda.device_count()}"
    return None


@contextlib.contextmanager
def group(device: str | torch.device | None = None) -> Iterator[None]:
    """Join the processes that `torchrun` started, for the time of the block; without it, nothing happens.

    Args:
        device: what they train on; "cuda" talks through NCCL, the CPU through gloo.

    Raises:
        ValueError: the device is one that processes cannot share out among themselves.
        WorkerError: the processes do not find each other.

    Example:
        >>> with group("cpu"):  # not started by `torchrun`
        ...     size()
        1
        >>> from unittest import mock
        >>> with mock.patch.dict(os.environ, WORLD_SIZE="2", RANK=""), group("cpu"):  # one that has no number
        ...     size()
        Traceback (most recent call last):
        tutorial_lib.training.distributed.WorkerError: the processes did not find each other: ...
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or dist.is_initialized():
        yield
        return
    if device is not None and str(device) not in ("cpu", "cuda"):
        raise ValueError(f"processes that torchrun started take a GPU each: `device` is cuda or cpu, not {device}")
    gpu = torch.cuda.is_available() if device is None else torch.device(device).type == "cuda"
    if gpu:
        torch.cuda.set_device(torch.device(local_device() or "cuda"))
    try:
        dist.init_process_group("nccl" if gpu else "gloo", timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise WorkerError(f"the processes did not find each other: {error}; start them with torchrun") from error
    try:
        yield
    finally:
        dist.destroy_process_group()


def share(batch: Tensor) -> Tensor:
    """The part of a batch that this process works on: neighbours, in order of the processes.

    Raises:
        ValueError: the batch cannot be divided evenly.

    Example:
        >>> from unittest import mock
        >>> second = mock.patch.multiple("tutorial_lib.training.distributed", size=lambda: 2, rank=lambda: 1)
        >>> with second:  # as in the second of two processes
        ...     share(torch.arange(4))
        tensor([2, 3])
    """
    if len(batch) % size():
        raise ValueError(f"a batch of {len(batch)} cannot be shared evenly by {size()} processes: change batch_size")
    return batch.chunk(size())[rank()]


def whole(shares: Tensor) -> Tensor:
    """The embeddings of the whole batch from everybody's share, shape (B, d); gradients flow back to each share.

    Example:
        >>> alone = torch.eye(2)
        >>> whole(alone) is alone
        True
    """
    if size() == 1:
        return shares
    together: Tensor = _Gather.apply(shares)
    return together


def agreed(value: T) -> T:
    """What the first process says, in every process; plain data.

    Example:
        >>> agreed({"epoch": 3})
        {'epoch': 3}
    """
    if size() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


@torch.no_grad()
def average_gradients(model: nn.Module) -> None:
    """Replace each gradient by its mean over the processes, in one message per kind of number.

    Example:
        >>> model = nn.Linear(1, 1, bias=False)
        >>> model(torch.tensor([[2.0]])).backward()
        >>> average_gradients(model)  # alone, its own gradient is the mean
        >>> model.weight.grad
        tensor([[2.]])
    """
    if size() == 1:
        return
    kinds: dict[torch.dtype, list[Tensor]] = {}
    for parameter in model.parameters():
        if parameter.grad is not None:
            kinds.setdefault(parameter.grad.dtype, []).append(parameter.grad)
    for gradients in kinds.values():
        flat = torch.cat([g.reshape(-1) for g in gradients])
        dist.all_reduce(flat)
        flat /= size()
        for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))


@contextlib.contextmanager
def synchronized(model: nn.Module) -> Iterator[None]:
    """Begin with the weights of the first process, and let batch normalization see the whole batch in the block.

    Example:
        >>> model = nn.BatchNorm2d(3)
        >>> with synchronized(model):  # alone, it sees the whole batch anyway
        ...     type(model).__name__
        'BatchNorm2d'
    """
    if size() == 1:
        yield
        return
    for tensor in model.state_dict().values():
        dist.broadcast(tensor, src=0)
    changed = [m for m in model.modules() if type(m) is nn.BatchNorm2d]
    for module in changed:
        module.__class__ = GlobalBatchNorm2d
    try:
        yield
    finally:
        for module in changed:
            module.__class__ = nn.BatchNorm2d


class GlobalBatchNorm2d(nn.BatchNorm2d):
    """Batch normalization over the batches of all processes. `torch.nn.SyncBatchNorm` works on GPUs only.

    Example:
        >>> norm, x = GlobalBatchNorm2d(3).eval(), torch.rand(4, 3, 2, 2)
        >>> torch.equal(norm(x), nn.BatchNorm2d(3).eval()(x))  # without training it needs no other process
        True
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        return _normalized(x, self)


def _normalized(x: Tensor, norm: nn.BatchNorm2d) -> Tensor:
    kind, x = x.dtype, x.to(torch.promote_types(x.dtype, torch.float32))
    mean = _everywhere(x.mean((0, 2, 3)))  # (C,)
    centred = x - mean[:, None, None]
    variance = _everywhere(centred.square().mean((0, 2, 3)))
    with torch.no_grad():
        assert norm.running_mean is not None
        assert norm.running_var is not None
        assert norm.num_batches_tracked is not None
        count = size() * x.numel() // x.shape[1]
        momentum = norm.momentum or 0.1
        norm.running_mean.lerp_(mean, momentum)
        norm.running_var.lerp_(variance * count / (count - 1), momentum)
        norm.num_batches_tracked.add_(1)
    scale = norm.weight * (variance + norm.eps).rsqrt()
    return (centred * scale[:, None, None] + norm.bias[:, None, None]).to(kind)


def _everywhere(values: Tensor) -> Tensor:
    """The mean over the processes; gradients of all of them flow back."""
    mean: Tensor = _Mean.apply(values)
    return mean


class _Gather(torch.autograd.Function):
    """Concatenate everybody's tensor; backward sums what everybody says of this one."""

    @staticmethod
    def forward(ctx: FunctionCtx, tensor: Tensor) -> Tensor:
        parts = [torch.empty_like(tensor) for _ in range(size())]
        dist.all_gather(parts, tensor.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> Tensor:
        gradient = gradient.contiguous()
        dist.all_reduce(gradient)
        return gradient.chunk(size())[rank()]


class _Mean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, tensor: Tensor) -> Tensor:
        tensor = tensor.clone()
        dist.all_reduce(tensor)
        return tensor / size()

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> Tensor:
        gradient = gradient.clone()
        dist.all_reduce(gradient)
        return gradient / size()
