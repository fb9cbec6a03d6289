"""JAX as one would write it for speed: the epoch is one jitted scan over batches gathered on the device, one thread.
The last 96 images of an epoch, which would be a batch of another shape, are left out: 0.16 % less work than ours."""
import os
import sys

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
import jax
import jax.numpy as jnp
from peer import mnist, serve

X, Y, TX, TY = (jnp.asarray(a) for a in mnist(sys.argv[1]))
Y, TY = Y.astype(jnp.int32), TY.astype(jnp.int32)
BATCH = 128
STEPS = len(X) // BATCH


def forward(parameters, x):
    for i, (w, b) in enumerate(parameters):
        x = x @ w + b
        if i < len(parameters) - 1:
            x = jax.nn.relu(x)
    return x


def mean_loss(parameters, x, y):
    return -jnp.take_along_axis(jax.nn.log_softmax(forward(parameters, x)), y[:, None], 1).mean()


def step(state, batch):
    p, m, v, t = state
    loss, g = jax.value_and_grad(mean_loss)(p, X[batch], Y[batch])
    t = t + 1
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
    rate, correction = 1e-3 / (1 - 0.9**t), 1 / jnp.sqrt(1 - 0.999**t)
    p = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) * correction + 1e-8), p, m, v)
    return (p, m, v, t), loss


def epoch(state, key):
    batches = jax.random.permutation(key, len(X))[: STEPS * BATCH].reshape(-1, BATCH)
    state, losses = jax.lax.scan(step, state, batches)
    return state, losses.mean()


run_epoch = jax.jit(epoch, donate_argnums=0)


class Network:
    def __init__(self, layers, masked):
        assert not masked
        p = [(jnp.asarray(w), jnp.asarray(b)) for w, b in layers]
        zeros = lambda: jax.tree.map(jnp.zeros_like, p)
        self.state, self.epochs = (p, zeros(), zeros(), jnp.zeros((), jnp.float32)), 0

    def epoch(self):
        self.state, loss = run_epoch(self.state, jax.random.key(self.epochs))
        self.epochs += 1
        return float(loss)

    def evaluate(self):
        return int((forward(self.state[0], TX).argmax(1) == TY).sum())


serve(Network)
