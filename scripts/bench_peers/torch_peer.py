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
from common import LATENT, numbers


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


def linear(state, i):
    weight, bias = state[f"dense{i}/weight"].T, state.get(f"dense{i}/bias")
    return weighted(nn.Linear(weight.shape[1], weight.shape[0], bias is not None), weight, bias)


def conv(state, i):
    weight = state[f"conv{i}/weight"]
    return weighted(nn.Conv2d(weight.shape[1], *weight.shape[::2], 2, 2), mirror(weight), state[f"conv{i}/bias"])


def deconv(state, i, stride):
    weight, bias = state[f"deconv{i}/weight"], state.get(f"deconv{i}/bias")
    layer = nn.ConvTranspose2d(*weight.shape[:3], stride, 2, stride - 1, bias=bias is not None)
    return weighted(layer, mirror(weight), bias)


def norm(kind, gan, state, i):
    gamma, beta, mean, variance = (state[f"batchnorm{i}/{n}"] for n in ("gamma", "beta", "mean", "variance"))
    momentum, epsilon = gan.norm
    layer = weighted(kind(len(gamma), epsilon, 1 - momentum), gamma, beta)
    layer.running_mean, layer.running_var = torch.tensor(mean), torch.tensor(variance)
    return layer


def drop(x, gan, masks):
    return F.dropout(x, gan.drop) if masks is None else x * (next(masks) / (1 - gan.drop))


class ConvGenerator(nn.Module):
    def __init__(self, gan, state):
        super().__init__()
        self.gan = gan
        self.dense = linear(state, 1)
        self.flat = len(state["batchnorm1/gamma"]) > gan.first[0]  # normalises dense features
        self.deconvs = nn.ModuleList(deconv(state, i, gan.stride if i == 1 else 2) for i in numbers(state, "deconv"))
        kind = lambda i: nn.BatchNorm1d if self.flat and i == 1 else nn.BatchNorm2d
        self.norms = nn.ModuleList(norm(kind(i), gan, state, i) for i in numbers(state, "deconv"))

    def forward(self, z):
        active = F.relu if self.gan.relu else lambda x: F.leaky_relu(x, self.gan.slope)
        channels, height, width = self.gan.first
        picture = lambda x: x.view(-1, height, width, channels).permute(0, 3, 1, 2)
        h = self.dense(z)
        h = picture(active(self.norms[0](h))) if self.flat else active(self.norms[0](picture(h)))
        for layer, norm in zip(self.deconvs, self.norms[1:]):
            h = active(norm(layer(h)))
        return torch.tanh(self.deconvs[-1](h))


class ConvDiscriminator(nn.Module):
    def __init__(self, gan, state):
        super().__init__()
        self.gan = gan
        self.convs = nn.ModuleList(conv(state, i) for i in numbers(state, "conv"))
        self.norms = nn.ModuleList()
        for i in range(len(self.convs)):
            normed = f"batchnorm{i}/gamma" in state  # not the first
            self.norms.append(norm(nn.BatchNorm2d, gan, state, i) if normed else nn.Identity())
        self.dense = linear(state, 1)

    def forward(self, h, masks=None):
        for layer, norm in zip(self.convs, self.norms):
            h = F.leaky_relu(norm(layer(h)), self.gan.slope)
            if self.gan.drop:
                h = drop(h, self.gan, masks)
        return self.dense(h.permute(0, 2, 3, 1).flatten(1))


class Dense(nn.Module):
    """Either network of the MLP GAN, the generator without dropout."""

    def __init__(self, gan, state):
        super().__init__()
        self.gan = gan
        self.layers = nn.ModuleList(linear(state, i) for i in numbers(state, "dense"))

    def forward(self, x, masks=None, dropped=()):
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i < len(self.layers) - 1:
                x = F.leaky_relu(x, self.gan.slope)
            if i in dropped:
                x = drop(x, self.gan, masks)
        return x


def noise(gan):
    if gan.uniform:
        return torch.empty(gan.batch, LATENT).uniform_(-1, 1)
    return torch.randn(gan.batch, LATENT)


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


class DCGAN(Peer):
    def networks(self, fixture):
        g = ConvGenerator(self.gan, fixture.state("generator", mirror))
        d = ConvDiscriminator(self.gan, fixture.state("discriminator", mirror))
        return g.to(memory_format=torch.channels_last), d.to(memory_format=torch.channels_last)

    def losses(self, real, z, masks):
        with self.precision:
            fake = self.generator(z)
            on_real = self.discriminator(real, masks)
            on_fake = self.discriminator(fake, masks)
        on_real, on_fake = on_real.float(), on_fake.float()
        return cross_entropy(on_real, 1) + cross_entropy(on_fake, 0), cross_entropy(on_fake, 1)

    def whole(self, real, z, masks=None):
        loss_d, loss_g = self.run(real, z, masks)
        self.gradients(self.discriminator, loss_d, keep=True)
        self.gradients(self.generator, loss_g)
        self.update(self.adam_d)
        self.update(self.adam_g)
        return loss_d.item(), loss_g.item()

    def images(self, x):
        return torch.from_numpy(mirror(x))

    def step(self, real):
        return self.whole(real, noise(self.gan))

    def replay(self, feed):
        masks = [torch.from_numpy(mirror(feed[f"mask/all/{x}/dropout{i}"])) for x in ("real", "fake") for i in (1, 2)]
        return self.whole(self.images(feed["real"]), torch.from_numpy(feed["noise/0"]), iter(masks))


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
        return self.whole(self.images(feed["real"]), torch.from_numpy(feed["noise/0"]))


class MLP(Peer):
    def networks(self, fixture):
        return Dense(self.gan, fixture.state("generator")), Dense(self.gan, fixture.state("discriminator"))

    def losses(self, trains, real, z, masks):
        with self.precision:
            if trains == "generator":
                fake = torch.tanh(self.generator(z))
                return cross_entropy(self.discriminator(fake, masks, (0, 1)).float(), 1)
            with torch.no_grad():
                fake = torch.tanh(self.generator(z))
            logits = self.discriminator(torch.cat([real, fake]), masks, (0, 1)).float()
        return (cross_entropy(logits[: len(real)], 0.9) + cross_entropy(logits[len(real) :], 0)) / 2

    def whole(self, real, z, masks=(None, None)):
        loss_d = self.run("discriminator", real, z[0], masks[0])
        self.gradients(self.discriminator, loss_d)
        self.update(self.adam_d)
        loss_g = self.run("generator", None, z[1], masks[1])
        self.gradients(self.generator, loss_g)
        self.update(self.adam_g)
        return loss_d.item(), loss_g.item()

    def images(self, x):
        return torch.from_numpy(x.reshape(-1, 784))

    def step(self, real):
        return self.whole(real, [noise(self.gan) for _ in range(2)])

    def replay(self, feed):
        masks = [iter([torch.from_numpy(feed[f"mask/{x}/dropout{i}"]) for i in (1, 2)]) for x in ("0/joined", "1/fake")]
        z = [torch.from_numpy(feed[f"noise/{i}"]) for i in range(2)]
        return self.whole(self.images(feed["real"]), z, masks)


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
    common.main({"michelucci-dcgan": DCGAN, "guo-mlp": MLP, "silva-dcgan": Silva}, Pictures, began, {"torch": torch.__version__})
