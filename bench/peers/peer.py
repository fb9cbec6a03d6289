"""What the PyTorch and JAX peers share: the data, networks from .npz files, and the protocol.

A peer reads one JSON object a line and answers with one. {"do": "load", "key", "file", "masked"} makes a network of
the arrays of a file; weights that are 0 in it are pruned when "masked" is true. {"do": "epoch", "key"} trains one epoch
and answers {"seconds", "loss"}; the first epoch of a key is not timed by who asks (compilation, caches).
{"do": "evaluate", "key"} answers {"seconds", "correct"} of the 10,000 test images.
"""
import json
import sys
import time

import numpy as np


def mnist(folder):
    read = lambda name, header: np.fromfile(f"{folder}/{name}", dtype=np.uint8)[header:]
    x, y = read("train-images-idx3-ubyte", 16), read("train-labels-idx1-ubyte", 8)
    tx, ty = read("t10k-images-idx3-ubyte", 16), read("t10k-labels-idx1-ubyte", 8)
    scale = lambda pixels: pixels.reshape(-1, 784).astype(np.float32) / 255
    return scale(x), y, scale(tx), ty


def layers(file):
    arrays = np.load(file)
    count = len(arrays.files) // 2
    return [(arrays[f"fc{i + 1}.weight"], arrays[f"fc{i + 1}.bias"]) for i in range(count)]


def timed(action):
    begin = time.perf_counter()
    value = action()
    return time.perf_counter() - begin, value


def serve(load):
    """`load(layers, masked)` returns an object with `epoch()` -> mean loss and `evaluate()` -> correct images."""
    networks = {}
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "load":
            networks[order["key"]] = load(layers(order["file"]), order["masked"])
            answer = {}
        elif order["do"] == "epoch":
            seconds, loss = timed(networks[order["key"]].epoch)
            answer = {"seconds": seconds, "loss": loss}
        else:
            seconds, correct = timed(networks[order["key"]].evaluate)
            answer = {"seconds": seconds, "correct": correct}
        print(json.dumps(answer), flush=True)
