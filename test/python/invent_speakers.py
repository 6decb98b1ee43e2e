#!/usr/bin/env python3
"""Write an invented model of speakers' voices: both nets in their real shapes, random weights, as a GGUF file of 34 MB.

Tests use it where any model will do: what it says of voices means nothing, but it says the same everywhere, and depends on
what it hears.

    python3 test/python/invent_speakers.py OUT.gguf [--seed N]

Only Python's standard library is needed. As a module: invent_speakers.tensors() for names, shapes and values.
"""
import argparse
import array
import math
import random
import struct
import sys

import invent

BLOCKS = (12, 24, 16)  # CAM++'s layers


class Numbers:
    """Packed floats, uniform around a middle: a table of 10,007, begun at a random place and repeated, which is fast."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.table = [self.random.uniform(-1, 1) for _ in range(10007)]

    def uniform(self, n, spread, middle=0.0):
        at = self.random.randrange(len(self.table))
        once = array.array("f", [middle + spread * x for x in self.table[at:] + self.table[:at]])
        if sys.byteorder == "big":
            once.byteswap()
        return (once.tobytes() * (n // len(once) + 1))[:4 * n]


def tensors(seed=0):
    """{name: (shape, packed floats)} in the order of whisp-convert."""
    draw, out = Numbers(seed), {}

    def add(name, *shape, spread=None, middle=0.0):
        inputs = math.prod(shape[1:])
        out[name] = (shape, draw.uniform(math.prod(shape), math.sqrt(3 / inputs) if spread is None else spread, middle))

    def norm(name, n):
        add(name + ".weight", n, spread=0.3, middle=1)
        add(name + ".bias", n, spread=0.3)
        add(name + ".running_mean", n, spread=0.3)
        add(name + ".running_var", n, spread=0.5, middle=1)

    add("embedding.head.conv1.weight", 32, 1, 3, 3)
    norm("embedding.head.bn1", 32)
    for i in range(4):
        part = "embedding.head.layer%d.%d." % (i // 2 + 1, i % 2)
        for conv in "12":
            add(part + "conv%s.weight" % conv, 32, 32, 3, 3)
            norm(part + "bn" + conv, 32)
        if i % 2 == 0:
            add(part + "shortcut.0.weight", 32, 32, 1, 1)
            norm(part + "shortcut.1", 32)
    add("embedding.head.conv2.weight", 32, 32, 3, 3)
    norm("embedding.head.bn2", 32)
    add("embedding.xvector.tdnn.linear.weight", 128, 320, 5)
    norm("embedding.xvector.tdnn.nonlinear.batchnorm", 128)
    channels = 128
    for block, layers in enumerate(BLOCKS, 1):
        for i in range(1, layers + 1):
            layer = "embedding.xvector.block%d.tdnnd%d." % (block, i)
            norm(layer + "nonlinear1.batchnorm", channels)
            add(layer + "linear1.weight", 128, channels, 1)
            norm(layer + "nonlinear2.batchnorm", 128)
            add(layer + "cam_layer.linear_local.weight", 32, 128, 3)
            add(layer + "cam_layer.linear1.weight", 64, 128, 1)
            add(layer + "cam_layer.linear1.bias", 64, spread=0.3)
            add(layer + "cam_layer.linear2.weight", 32, 64, 1)
            add(layer + "cam_layer.linear2.bias", 32, spread=0.3)
            channels += 32
        norm("embedding.xvector.transit%d.nonlinear.batchnorm" % block, channels)
        add("embedding.xvector.transit%d.linear.weight" % block, channels // 2, channels, 1)
        channels //= 2
    norm("embedding.xvector.out_nonlinear.batchnorm", channels)
    add("embedding.xvector.dense.linear.weight", 192, 2 * channels, 1)
    add("embedding.xvector.dense.nonlinear.batchnorm.running_mean", 192, spread=0.3)
    add("embedding.xvector.dense.nonlinear.batchnorm.running_var", 192, spread=0.5, middle=1)
    segmentation(add, out)
    return out


def segmentation(add, out):
    """segmentation-3.0. Its first filters are bands of frequencies, as in the real one: 200 Hz each."""
    def exact(name, shape, values):
        out[name] = (shape, struct.pack("<%df" % len(values), *values))

    net = "segmentation.sincnet."
    add(net + "wav_norm1d.weight", 1, spread=0.1, middle=1)
    add(net + "wav_norm1d.bias", 1, spread=0.01)
    exact(net + "conv1d.0.filterbank.low_hz_", (40, 1), [30 + 180.0 * i for i in range(40)])
    exact(net + "conv1d.0.filterbank.band_hz_", (40, 1), [200.0] * 40)
    exact(net + "conv1d.0.filterbank.window_", (125,), [0.54 - 0.46 * math.cos(2 * math.pi * i / 250) for i in range(125)])
    exact(net + "conv1d.0.filterbank.n_", (1, 125), [2 * math.pi * i / 16000 for i in range(-125, 0)])
    sizes = (80, 60, 60)
    for i in range(3):
        if i:
            add(net + "conv1d.%d.weight" % i, sizes[i], sizes[i - 1], 5)
            add(net + "conv1d.%d.bias" % i, sizes[i], spread=0.1)
        add(net + "norm1d.%d.weight" % i, sizes[i], spread=0.3, middle=1)
        add(net + "norm1d.%d.bias" % i, sizes[i], spread=0.3)
    for layer in range(4):
        for way in ("", "_reverse"):
            end = "_l%d%s" % (layer, way)
            add("segmentation.lstm.weight_ih" + end, 512, 60 if layer == 0 else 256)
            add("segmentation.lstm.weight_hh" + end, 512, 128, spread=0.1)
            add("segmentation.lstm.bias_ih" + end, 512, spread=0.1)
            add("segmentation.lstm.bias_hh" + end, 512, spread=0.1)
    for i in range(2):
        add("segmentation.linear.%d.weight" % i, 128, 128 if i else 256)
        add("segmentation.linear.%d.bias" % i, 128, spread=0.1)
    add("segmentation.classifier.weight", 7, 128, spread=1)
    add("segmentation.classifier.bias", 7, spread=0.5)


METADATA = {"general.alignment": (invent.U32, invent.ALIGNMENT), "general.architecture": (invent.STRING, "speakers"),
            "general.name": (invent.STRING, "invented-speakers"), "speakers.format_version": (invent.U32, 1),
            "speakers.sample_rate": (invent.U32, 16000)}


def write(path, seed=0):
    invent.write_gguf(path, METADATA, tensors(seed))


def main():
    parser = argparse.ArgumentParser(description="Write a model of speakers' voices with random weights as a GGUF file.")
    parser.add_argument("path", metavar="OUT.gguf")
    parser.add_argument("--seed", type=int, default=0, help="another seed, another model (default 0)")
    settings = parser.parse_args()
    write(settings.path, settings.seed)


if __name__ == "__main__":
    main()
