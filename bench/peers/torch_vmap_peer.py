"""PyTorch with many networks in one tensor: torch.func.vmap over stacked parameters, on the GPU if there is one.

{"do": "epoch", "networks": L} trains an epoch of L networks, each with its own start and batches, and answers {"seconds", "loss"}, the
loss of the first of them.
"""
import json
import sys
import time

import torch
from peer import mnist
from torch.func import functional_call, grad_and_value, stack_module_state, vmap

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
X, Y, _, _ = (torch.from_numpy(a).to(DEVICE) for a in mnist(sys.argv[1]))
Y = Y.long()
BATCH = 128
WIDTHS = json.loads(sys.argv[2])


def network():
    pairs = list(zip(WIDTHS, WIDTHS[1:]))
    modules = [part for pair in pairs for part in (torch.nn.Linear(*pair), torch.nn.ReLU())]
    return torch.nn.Sequential(*modules[:-1]).to(DEVICE)


class Pack:
    def __init__(self, count):
        base = network().to("meta")
        parameters, _ = stack_module_state([network() for _ in range(count)])
        self.parameters = {name: value.detach() for name, value in parameters.items()}
        self.optimizer = torch.optim.Adam(self.parameters.values(), lr=1e-3, fused=True)
        self.count = count

        def loss(parameters, x, y):
            return torch.nn.functional.cross_entropy(functional_call(base, parameters, (x,)), y)

        self.gradients = vmap(grad_and_value(loss))

    def epoch(self):
        losses = []
        order = torch.stack([torch.randperm(len(X), device=DEVICE) for _ in range(self.count)])
        for i in range(0, len(X), BATCH):
            batch = order[:, i : i + BATCH]
            gradients, loss = self.gradients(self.parameters, X[batch], Y[batch])
            for name, parameter in self.parameters.items():
                parameter.grad = gradients[name]
            self.optimizer.step()
            losses.append(loss[0])
        return torch.stack(losses).mean().item()  # waits for the GPU


packs = {}
for line in sys.stdin:
    count = json.loads(line)["networks"]
    if count not in packs:
        packs[count] = Pack(count)
    begin = time.perf_counter()
    loss = packs[count].epoch()
    print(json.dumps({"seconds": time.perf_counter() - begin, "loss": loss}), flush=True)
