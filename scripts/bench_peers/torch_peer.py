"""PyTorch: torch (eager), torch-compile and torch-bf16, the convolutional
networks in channels_last.

Its padding=2 puts the odd row of a stride 2 at the start, where 'same' puts it
at the end. Seen in a mirror the two are one, so the networks work on mirrored
pictures with mirrored kernels: the same numbers, and no padding apart.

Its Adam has epsilon inside the bias correction, Keras outside: an epsilon that
changes with the step makes up for it. Its running variance is the unbiased one.
"""

import time

began = time.perf_counter()

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import common
from common import CLASSES, LATENT, numbers, side


def mirror(x):
    return np.ascontiguousarray(x[..., ::-1, ::-1])


def parameter(x):
    x = torch.from_numpy(np.ascontiguousarray(x))
    return nn.Parameter(x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x)


def weighted(layer, weight, bias=None):
    layer.weight = parameter(weight)
    if bias is not None:
        layer.bias = parameter(bias)
    return layer


def linear(state, name):
    weight, bias = state[f"{name}/weight"].T, state.get(f"{name}/bias")
    return weighted(nn.Linear(weight.shape[1], weight.shape[0], bias is not None), weight, bias)


def conv(state, i, stride):
    weight = state[f"conv{i}/weight"]
    kernel = weight.shape[-1]
    layer = nn.Conv2d(*weight.shape[1::-1], kernel, stride, kernel // 2)
    return weighted(layer, mirror(weight), state[f"conv{i}/bias"])


def deconv(state, i, stride):
    weight, bias = state[f"deconv{i}/weight"], state.get(f"deconv{i}/bias")
    kernel = weight.shape[-1]
    padding = (kernel - 1) // 2
    layer = nn.ConvTranspose2d(*weight.shape[:3], stride, padding, stride + 2 * padding - kernel, bias=bias is not None)
    return weighted(layer, mirror(weight), bias)


def norm(kind, gan, state, i):
    if f"batchnorm{i}/gamma" not in state:
        return nn.Identity()
    gamma, beta, mean, variance = (state[f"batchnorm{i}/{n}"] for n in ("gamma", "beta", "mean", "variance"))
    momentum, epsilon = gan.norm
    layer = weighted(kind(len(gamma), epsilon, 1 - momentum), gamma, beta)
    layer.running_mean, layer.running_var = torch.tensor(mean), torch.tensor(variance)
    return layer


def drop(x, gan, masks):
    return F.dropout(x, gan.drop) if masks is None else x * (next(masks) / (1 - gan.drop))


def picture(x, channels, height, width):
    return x.view(-1, height, width, channels).permute(0, 3, 1, 2)


class Condition(nn.Module):
    """Joins to a picture its class, as a channel."""

    def __init__(self, state):
        super().__init__()
        table = state["condition1/embedding1/weight"]
        self.embedding = weighted(nn.Embedding(*table.shape), table)
        self.dense = linear(state, "condition1/dense1")
        self.side = side(self.dense.bias)

    def forward(self, x, label):
        made = self.dense(self.embedding(label))
        return torch.cat([x, picture(made, 1, self.side, self.side)], 1)


def condition(state):
    return Condition(state) if "condition1/dense1/weight" in state else None


class ConvGenerator(nn.Module):
    def __init__(self, gan, state):
        super().__init__()
        self.gan = gan
        self.dense = linear(state, "dense1")
        self.flat = len(state.get("batchnorm1/gamma", ())) > gan.first[0]  # normalises dense features
        self.condition = condition(state)
        self.convs = nn.ModuleList(deconv(state, i, gan.stride if i == 1 else 2) for i in numbers(state, "deconv"))
        self.convs.extend(conv(state, i, 1) for i in numbers(state, "conv"))
        kind = lambda i: nn.BatchNorm1d if self.flat and i == 1 else nn.BatchNorm2d
        self.norms = nn.ModuleList(norm(kind(i), gan, state, i) for i in range(1, len(self.convs) + 1))

    def forward(self, z, label=None):
        active = F.relu if self.gan.relu else lambda x: F.leaky_relu(x, self.gan.slope)
        h = self.dense(z)
        if self.flat:
            h = picture(active(self.norms[0](h)), *self.gan.first)
        else:
            h = active(self.norms[0](picture(h, *self.gan.first)))
        if self.condition:
            h = self.condition(h, label)
        for layer, norm in zip(self.convs, self.norms[1:]):
            h = active(norm(layer(h)))
        return torch.tanh(self.convs[-1](h))


class ConvDiscriminator(nn.Module):
    def __init__(self, gan, state):
        super().__init__()
        self.gan = gan
        self.condition = condition(state)
        self.convs = nn.ModuleList(conv(state, i, 2) for i in numbers(state, "conv"))
        self.norms = nn.ModuleList(norm(nn.BatchNorm2d, gan, state, i) for i in range(len(self.convs)))
        self.dense = linear(state, "dense1")

    def forward(self, h, label=None, masks=None):
        if self.condition:
            h = self.condition(h, label)
        for i, (layer, norm) in enumerate(zip(self.convs, self.norms), 1):
            h = F.leaky_relu(norm(layer(h)), self.gan.slope)
            if i in self.gan.dropped:
                h = drop(h, self.gan, masks)
        return self.dense(h.permute(0, 2, 3, 1).flatten(1))


class Dense(nn.Module):
    """Either network of the MLP GAN, the generator without dropout."""

    def __init__(self, gan, state, dropped=()):
        super().__init__()
        self.gan, self.dropped = gan, dropped
        self.layers = nn.ModuleList(linear(state, f"dense{i}") for i in numbers(state, "dense"))

    def forward(self, x, masks=None):
        for i, layer in enumerate(self.layers, 1):
            x = layer(x)
            if i < len(self.layers):
                x = F.leaky_relu(x, self.gan.slope)
            if i in self.dropped:
                x = drop(x, self.gan, masks)
        return x


def noise(gan):
    if gan.uniform:
        return torch.empty(gan.batch, LATENT).uniform_(-1, 1)
    return torch.randn(gan.batch, LATENT)


def classes(feed, name):
    return torch.from_numpy(feed[f"label/{name}"]).long()


def cross_entropy(logits, label):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


class Peer:
    def __init__(self, configuration, fixture):
        self.gan = fixture.gan
        self.generator, self.discriminator = self.networks(fixture)
        rate, beta1, self.beta2, self.epsilon = self.gan.adam
        adam = lambda net: torch.optim.Adam(net.parameters(), rate, (beta1, self.beta2), fused=True)
        self.adam_d, self.adam_g = adam(self.discriminator), adam(self.generator)
        self.updates = {}
        self.precision = torch.autocast("cpu", torch.bfloat16, configuration == "torch-bf16")
        self.run = torch.compile(self.losses) if configuration == "torch-compile" else self.losses

    def gradients(self, net, loss, keep=False):
        parameters = list(net.parameters())
        for p, g in zip(parameters, torch.autograd.grad(loss, parameters, retain_graph=keep)):
            p.grad = g

    def update(self, adam):
        t = self.updates.get(adam, 0) + 1
        self.updates[adam] = t
        adam.param_groups[0]["eps"] = self.epsilon / math.sqrt(1 - self.beta2**t)
        adam.step()


def conv_networks(fixture):
    g = ConvGenerator(fixture.gan, fixture.state("generator", mirror))
    d = ConvDiscriminator(fixture.gan, fixture.state("discriminator", mirror))
    return g.to(memory_format=torch.channels_last), d.to(memory_format=torch.channels_last)


class DCGAN(Peer):
    def networks(self, fixture):
        return conv_networks(fixture)

    def losses(self, real, z, masks):
        with self.precision:
            fake = self.generator(z)
            on_real = self.discriminator(real, masks=masks)
            on_fake = self.discriminator(fake, masks=masks)
        on_real, on_fake = on_real.float(), on_fake.float()
        return cross_entropy(on_real, 1) + cross_entropy(on_fake, 0), cross_entropy(on_fake, 1)

    def whole(self, real, z, masks=None):
        loss_d, loss_g = self.run(real, z, masks)
        self.gradients(self.discriminator, loss_d, keep=True)
        self.gradients(self.generator, loss_g)
        self.update(self.adam_d)
        self.update(self.adam_g)
        return loss_d.item(), loss_g.item()

    def real(self, feed):
        return torch.from_numpy(mirror(feed["real"]))

    def step(self, real):
        return self.whole(real, noise(self.gan))

    def replay(self, feed):
        masks = [torch.from_numpy(mirror(feed[f"mask/all/{x}/dropout{i}"])) for x in ("real", "fake") for i in (1, 2)]
        return self.whole(self.real(feed), torch.from_numpy(feed["noise/0"]), iter(masks))


class Silva(DCGAN):
    def __init__(self, configuration, fixture):
        super().__init__(configuration, fixture)
        if configuration == "torch-compile":
            self.generator.compile()

    def made(self, z):
        with self.precision:
            return self.generator(z)

    def losses(self, real, fake):
        with self.precision:
            on_real = None if real is None else self.discriminator(real).float()
            on_fake = self.discriminator(fake).float()
        if real is None:
            return cross_entropy(on_fake, 1)
        return cross_entropy(on_real, 0.9) + cross_entropy(on_fake, 0)

    def whole(self, real, z):
        fake = self.made(z)
        loss_d = self.run(real, fake.detach())
        self.gradients(self.discriminator, loss_d)
        self.update(self.adam_d)
        # The generator is as it was, and so are its pictures.
        return loss_d.item(), self.improved(fake), self.improved(self.made(z))

    def improved(self, fake):
        loss = self.run(None, fake)
        self.gradients(self.generator, loss)
        self.update(self.adam_g)
        return loss.item()

    def replay(self, feed):
        return self.whole(self.real(feed), torch.from_numpy(feed["noise/0"]))


class MLP(Peer):
    """The discriminator on real and generated images joined, then the generator
    with noise of its own. What a network takes is a tuple: there may be classes."""

    share = 0.5  # of each of the discriminator's two losses

    def networks(self, fixture):
        g = nn.Sequential(Dense(self.gan, fixture.state("generator")), nn.Tanh())
        return g, Dense(self.gan, fixture.state("discriminator"), self.gan.dropped)

    def losses(self, trains, real, z, masks):
        with self.precision:
            if trains == "generator":
                return cross_entropy(self.discriminator(self.generator(*z), *z[1:], masks=masks).float(), 1)
            with torch.no_grad():
                fake = self.generator(*z), *z[1:]
            logits = self.discriminator(*map(torch.cat, zip(real, fake)), masks=masks).float()
        n = self.gan.batch
        return self.share * (cross_entropy(logits[:n], 0.9) + cross_entropy(logits[n:], 0))

    def whole(self, real, z, masks=(None, None)):
        loss_d = self.run("discriminator", real, z[0], masks[0])
        self.gradients(self.discriminator, loss_d)
        self.update(self.adam_d)
        loss_g = self.run("generator", None, z[1], masks[1])
        self.gradients(self.generator, loss_g)
        self.update(self.adam_g)
        return loss_d.item(), loss_g.item()

    def noise(self):
        return (noise(self.gan),)

    def step(self, real):
        return self.whole(real, [self.noise() for _ in range(2)])

    def real(self, feed):
        return (torch.from_numpy(feed["real"].reshape(-1, 784)),)

    def replay(self, feed):
        z = [(torch.from_numpy(feed[f"noise/{i}"]),) for i in range(2)]
        masks = [iter([torch.from_numpy(m) for m in masks]) for masks in common.dense_masks(feed)]
        return self.whole(self.real(feed), z, masks)


class CGAN(MLP):
    share = 1

    def networks(self, fixture):
        return conv_networks(fixture)

    def noise(self):
        return noise(self.gan), torch.randint(CLASSES, [self.gan.batch])

    def real(self, feed):
        return torch.from_numpy(mirror(feed["real"])), classes(feed, "real")

    def replay(self, feed):
        z = [(torch.from_numpy(feed[f"noise/{i}"]), classes(feed, i)) for i in range(2)]
        masks = [iter([torch.from_numpy(mirror(m)) for m in masks]) for masks in common.conv_masks(self.gan, feed)]
        return self.whole(self.real(feed), z, masks)


class Pictures:
    def __init__(self, configuration, fixture):
        generator = ConvGenerator(fixture.gan, fixture.state("generator", mirror)).eval()
        self.generator = generator.to(memory_format=torch.channels_last)

    def draw(self, n):
        return torch.randn(n, LATENT).numpy()

    def pictures(self, z):
        with torch.inference_mode():
            return self.generator(torch.from_numpy(z)).numpy()[..., ::-1, ::-1]


if __name__ == "__main__":
    common.main({"michelucci-dcgan": DCGAN, "guo-mlp": MLP, "silva-dcgan": Silva, "michelucci-cgan": CGAN}, Pictures, began, {"torch": torch.__version__})
