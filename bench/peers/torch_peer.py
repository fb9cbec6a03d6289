"""PyTorch as one would write it for speed: the whole data set in memory, fused Adam, one thread; pruned weights are
held at zero by a mask after each step, which is what torch.nn.utils.prune and its like cost at least."""
import sys

import torch
from peer import mnist, serve

torch.set_num_threads(1)
torch.manual_seed(0)
X, Y, TX, TY = (torch.from_numpy(a) for a in mnist(sys.argv[1]))
Y, TY = Y.long(), TY.long()
BATCH = 128


class Network:
    def __init__(self, layers, masked, rate=1e-3):
        modules = []
        for weight, bias in layers:
            linear = torch.nn.Linear(*weight.shape)
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(weight.T))
                linear.bias.copy_(torch.from_numpy(bias))
            modules += [linear, torch.nn.ReLU()]
        self.model = torch.nn.Sequential(*modules[:-1])
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=rate, fused=True)
        self.loss = torch.nn.CrossEntropyLoss()
        weights = [p for p in self.model.parameters() if p.dim() == 2]
        self.masks = [(p, (p != 0).float()) for p in weights] if masked else []

    def epoch(self):
        order, total = torch.randperm(len(X)), 0.0
        for i in range(0, len(X), BATCH):
            batch = order[i : i + BATCH]
            self.optimizer.zero_grad()
            loss = self.loss(self.model(X[batch]), Y[batch])
            loss.backward()
            self.optimizer.step()
            with torch.no_grad():
                for weight, mask in self.masks:
                    weight.mul_(mask)
            total += loss.item() * len(batch)
        return total / len(X)

    @torch.no_grad()
    def evaluate(self):
        return int((self.model(TX).argmax(1) == TY).sum())

    def layers(self):
        parameters = [p.detach().numpy() for p in self.model.parameters()]
        return [(weight.T, bias) for weight, bias in zip(parameters[::2], parameters[1::2])]


if __name__ == "__main__":
    serve(Network)
