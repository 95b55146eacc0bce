"""PyTorch, with SAM of pytorch_optimizer, as a worker of `benchmarks.peers`.

The networks are the networks of `networks.py`. If a convolution halves the
resolution, PyTorch pads both sides and TensorFlow pads one. The shapes are the
same. The worker runs on a GPU if there is one. Gradients of embeddings are
dense: with sparse gradients momentum is sparse too, and grows with every new
batch. On a repeated batch it would seem fast.
"""

import functools
import importlib.metadata
import time

import pytorch_optimizer
import torch
from torch import nn
from torch.nn import functional

from benchmarks.peers import worker

CLASSES = 10


class BasicBlock(nn.Module):
    """Two convolutions, beside a shortcut."""

    def __init__(self, inputs, filters, strides):
        super().__init__()
        self.body = nn.Sequential(
            conv(inputs, filters, 3, strides),
            norm_relu(filters),
            conv(filters, filters),
            nn.BatchNorm2d(filters),
        )
        self.shortcut = nn.Identity()
        if strides > 1 or inputs != filters:
            self.shortcut = nn.Sequential(
                conv(inputs, filters, 1, strides), nn.BatchNorm2d(filters)
            )

    def forward(self, x):
        return functional.relu(self.body(x) + self.shortcut(x), inplace=True)


class PreactivationBlock(nn.Module):
    """Two convolutions, normed before, beside a shortcut."""

    def __init__(self, inputs, filters, strides):
        super().__init__()
        self.norm_relu = norm_relu(inputs)
        self.body = nn.Sequential(
            conv(inputs, filters, 3, strides),
            norm_relu(filters),
            conv(filters, filters),
        )
        self.shortcut = None
        if strides > 1 or inputs != filters:
            self.shortcut = conv(inputs, filters, 1, strides)

    def forward(self, x):
        y = self.norm_relu(x)
        if self.shortcut is not None:
            x = self.shortcut(y)
        return x + self.body(y)


class EncoderBlock(nn.Module):
    """Attention and two dense layers, each normed before."""

    def __init__(self, width, heads, hidden, activation=nn.ReLU):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.dense = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, hidden),
            activation(),
            nn.Linear(hidden, width),
        )

    def forward(self, x):
        y = self.norm(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.dense(x)


class Positions(nn.Module):
    """Adds a trained vector to each place of a sequence."""

    def __init__(self, length, width):
        super().__init__()
        self.vectors = nn.Parameter(0.02 * torch.randn(length, width))

    def forward(self, x):
        return x + self.vectors


class Patches(nn.Module):
    """Cuts an image into patches, and maps each to a vector."""

    def __init__(self, patch, width):
        super().__init__()
        self.conv = nn.Conv2d(3, width, patch, patch)

    def forward(self, x):
        return self.conv(x).flatten(2).transpose(1, 2)


class Mean(nn.Module):
    """The mean over some axes."""

    def __init__(self, *axes):
        super().__init__()
        self.axes = axes

    def forward(self, x):
        return x.mean(self.axes)


def conv(inputs, filters, size=3, strides=1):
    return nn.Conv2d(inputs, filters, size, strides, size // 2, bias=False)


def norm_relu(filters):
    return nn.Sequential(nn.BatchNorm2d(filters), nn.ReLU(inplace=True))


def mlp():
    return nn.Sequential(
        nn.Flatten(),
        *(nn.Linear(784, 256), nn.ReLU()),
        *(nn.Linear(256, 256), nn.ReLU()),
        nn.Linear(256, CLASSES),
    )


def cnn():
    body, inputs = [], 3
    for filters, strides in ((16, 1), (16, 1), (32, 2), (32, 1)):
        body += [conv(inputs, filters, 3, strides), norm_relu(filters)]
        inputs = filters
    return nn.Sequential(*body, Mean(2, 3), nn.Linear(inputs, CLASSES))


def resnet18():
    body, inputs = [conv(3, 64), norm_relu(64)], 64
    for filters in (64, 128, 256, 512):
        for _ in range(2):
            strides = 1 if inputs == filters else 2
            body.append(BasicBlock(inputs, filters, strides))
            inputs = filters
    return nn.Sequential(*body, Mean(2, 3), nn.Linear(inputs, CLASSES))


def wide_resnet(depth=16, width=4):
    body, inputs = [conv(3, 16)], 16
    for stage, filters in enumerate((16 * width, 32 * width, 64 * width)):
        for block in range((depth - 4) // 6):
            strides = 2 if block == 0 and stage > 0 else 1
            body.append(PreactivationBlock(inputs, filters, strides))
            inputs = filters
    return nn.Sequential(
        *body, norm_relu(inputs), Mean(2, 3), nn.Linear(inputs, CLASSES)
    )


def transformer(tokens=1000, width=128, heads=4, blocks=2):
    return nn.Sequential(
        nn.Embedding(tokens, width),
        *(EncoderBlock(width, heads, 2 * width) for _ in range(blocks)),
        nn.LayerNorm(width),
        Mean(1),
        nn.Linear(width, CLASSES),
    )


def vit(size=224, patch=16, width=384, heads=6, blocks=12):
    return nn.Sequential(
        Patches(patch, width),
        Positions((size // patch) ** 2, width),
        *(
            EncoderBlock(width, heads, 4 * width, nn.GELU)
            for _ in range(blocks)
        ),
        nn.LayerNorm(width),
        Mean(1),
        nn.Linear(width, CLASSES),
    )


def embedding(tokens=200_000, width=64):
    return nn.Sequential(
        nn.Embedding(tokens, width),
        Mean(1),
        *(nn.Linear(width, width), nn.ReLU()),
        nn.Linear(width, CLASSES),
    )


NETWORKS = {
    "mlp": mlp,
    "cnn": cnn,
    "resnet-18": resnet18,
    "wrn-16-4": wide_resnet,
    "transformer": transformer,
    "embedding": embedding,
    "wrn-28-10": functools.partial(wide_resnet, 28, 10),
    "vit-s-16": vit,
    "wrn-10-1": functools.partial(wide_resnet, 10, 1),
    "vit-tiny": functools.partial(vit, 16, 8, 32, 2, 1),
}
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cuda":
    # As XLA does: the fastest of cuDNN's convolutions, and products in TF32.
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")


def start(network, method, x, y, precision="float32"):
    """Returns what `worker.serve` asks for.

    Args:
        network: Key of `NETWORKS`.
        method: "plain" or "SAM"; "plain-compiled" or "SAM-compiled" for
            `torch.compile`.
        x, y: NumPy arrays, the batch.
        precision: "float32", or "bfloat16" for autocast.
    """
    method, _, compiled = method.partition("-")
    # Of the layouts that PyTorch has, the faster one, on CPUs and GPUs.
    module = NETWORKS[network]().to(DEVICE, memory_format=torch.channels_last)
    x, y = torch.from_numpy(x).to(DEVICE), torch.from_numpy(y).long().to(DEVICE)
    if x.ndim == 4:
        x = x.permute(0, 3, 1, 2)
    options = {"lr": worker.RATE, "momentum": worker.MOMENTUM}
    if method == "SAM":
        optimizer = pytorch_optimizer.SAM(
            module.parameters(),
            torch.optim.SGD,
            rho=worker.RHO,
            **options,
        )
    else:
        optimizer = torch.optim.SGD(module.parameters(), **options)
    facts = {"parameters": sum(p.numel() for p in module.parameters())}

    def evaluate():
        optimizer.zero_grad()
        with torch.autocast(
            DEVICE, torch.bfloat16, enabled=precision == "bfloat16"
        ):
            logits = module(x)
        loss = functional.cross_entropy(logits.float(), y)
        loss.backward()
        return loss

    if compiled:  # It compiles where it first computes.
        module.compile()
        before = time.perf_counter()
        evaluate()
        facts["compile"] = time.perf_counter() - before
        if DEVICE == "cuda":  # Others compile at the same time.
            torch.cuda.empty_cache()

    # The base class, too, takes a closure, but would evaluate once more.
    closure = [evaluate] if method == "SAM" else []

    def run(steps):
        for _ in range(steps):
            loss = evaluate()
            optimizer.step(*closure)
        loss.item()
        facts["peak"] = peak()

    return facts, run


def peak():
    """Returns the most bytes that the device has held so far, or None."""
    return torch.cuda.max_memory_allocated() if DEVICE == "cuda" else None


if __name__ == "__main__":
    sam = importlib.metadata.version("pytorch_optimizer")
    worker.serve(
        start,
        f"PyTorch {torch.__version__} on {DEVICE}, pytorch_optimizer {sam}",
    )
