"""A sweep of pruning experiments as one would write it with PyTorch, its training that of torch_peer.py: one thread.

usage: torch_sweep.py MNIST_FOLDER naive|shared < SWEEP.json

naive trains every trial by itself, from the dense network on, as any orchestrator of independent trials does.
shared trains a network's dense weights once, and walks down the ratios once for each recipe.
Answers with one JSON line a trial: network, seed, recipe, ratio, accuracy, seconds.
"""
import json
import sys
import time

import torch
from torch_peer import Network


def initial(widths, seed):
    torch.manual_seed(seed)
    sizes = [784, *widths, 10]
    layers = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        weight = torch.nn.init.kaiming_uniform_(torch.empty(outputs, inputs), nonlinearity="relu")
        layers.append((weight.T.numpy(), torch.zeros(outputs).numpy()))
    return layers


def trained(layers, epochs, masked, rate):
    network = Network(layers, masked, rate)
    for _ in range(epochs):
        network.epoch()
    return network


def pruned(layers, ratio):
    """The largest weights of all layers together; biases are never pruned."""
    magnitudes = torch.cat([torch.from_numpy(weight).abs().flatten() for weight, _ in layers])
    kept = torch.zeros(len(magnitudes), dtype=torch.bool)
    kept[magnitudes.topk(round((1 - ratio) * len(magnitudes))).indices] = True
    masks = kept.split([weight.size for weight, _ in layers])
    return [(weight * mask.view(weight.shape).numpy(), bias) for (weight, bias), mask in zip(layers, masks)]


def pruned_and_retrained(layers, ratio, recipe, sweep):
    epochs, rate = sweep["retrainingEpochs"], sweep["learningRate"] * sweep["learningRateFactor"]
    if recipe == "regrow":
        free = trained(pruned(layers, ratio), epochs - epochs // 2, False, rate)
        return trained(pruned(free.layers(), ratio), epochs // 2, True, rate)
    return trained(pruned(layers, ratio), epochs, True, rate)


def dense(widths, seed, sweep):
    return trained(initial(widths, seed), sweep["epochs"], False, sweep["learningRate"])


def naive(sweep):
    for trial in sweep["trials"]:
        network = dense(trial["widths"], trial["seed"], sweep)
        for ratio in sweep["ratios"]:
            if ratio > trial["ratio"]:
                break
            network = pruned_and_retrained(network.layers(), ratio, trial["recipe"], sweep)
        yield trial, network


def shared(sweep):
    for widths, seed in dict.fromkeys((tuple(trial["widths"]), trial["seed"]) for trial in sweep["trials"]):
        start = dense(widths, seed, sweep).layers()
        for recipe in sweep["recipes"]:
            layers = start
            for ratio in sweep["ratios"]:
                network = pruned_and_retrained(layers, ratio, recipe, sweep)
                layers = network.layers()
                yield {"widths": widths, "seed": seed, "recipe": recipe, "ratio": ratio}, network


began = time.perf_counter()
for trial, network in {"naive": naive, "shared": shared}[sys.argv[2]](json.load(sys.stdin)):
    accuracy = network.evaluate() / 10_000
    now = time.perf_counter()
    print(json.dumps({**trial, "accuracy": accuracy, "seconds": now - began}), flush=True)
    began = now
