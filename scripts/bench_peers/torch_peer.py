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
from common import ADAM, BATCH, BETA2, DROP, EPSILON, LATENT, SLOPE


def mirror(x):
    return np.ascontiguousarray(x[..., ::-1, ::-1])


def parameter(x):
    x = torch.from_numpy(np.ascontiguousarray(x))
    return nn.Parameter(x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x)


def set_linear(layer, weight, bias=None):
    layer.weight = parameter(weight.T)
    if bias is not None:
        layer.bias = parameter(bias)


def drop(x, masks):
    return F.dropout(x, DROP) if masks is None else x * (next(masks) / (1 - DROP))


class ConvGenerator(nn.Module):
    def __init__(self, state):
        super().__init__()
        self.dense = nn.Linear(LATENT, 7 * 7 * 256, bias=False)
        weight = mirror(state["dense1/weight"].reshape(LATENT, 256, 7, 7))
        set_linear(self.dense, weight.transpose(0, 2, 3, 1).reshape(LATENT, -1))  # channels last
        self.norm1 = nn.BatchNorm1d(7 * 7 * 256, 1e-3, 0.01)
        self.deconv1 = nn.ConvTranspose2d(256, 128, 5, 1, 2, bias=False)
        self.norm2 = nn.BatchNorm2d(128, 1e-3, 0.01)
        self.deconv2 = nn.ConvTranspose2d(128, 64, 5, 2, 2, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(64, 1e-3, 0.01)
        self.deconv3 = nn.ConvTranspose2d(64, 1, 5, 2, 2, 1, bias=False)
        for i, layer in enumerate([self.deconv1, self.deconv2, self.deconv3], 1):
            layer.weight = parameter(mirror(state[f"deconv{i}/weight"]))
        for i, layer in enumerate([self.norm1, self.norm2, self.norm3], 1):
            get = lambda name: state[f"batchnorm{i}/{name}"]
            if i == 1:
                get = lambda name: mirror(state[f"batchnorm1/{name}"].reshape(256, 7, 7)).transpose(1, 2, 0).reshape(-1)
            layer.weight, layer.bias = parameter(get("gamma")), parameter(get("beta"))
            layer.running_mean = torch.tensor(get("mean"))
            layer.running_var = torch.tensor(get("variance"))

    def forward(self, z):
        leaky = lambda x: F.leaky_relu(x, SLOPE["michelucci-dcgan"])
        h = leaky(self.norm1(self.dense(z))).view(-1, 7, 7, 256).permute(0, 3, 1, 2)
        h = leaky(self.norm2(self.deconv1(h)))
        h = leaky(self.norm3(self.deconv2(h)))
        return torch.tanh(self.deconv3(h))


class ConvDiscriminator(nn.Module):
    def __init__(self, state):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 64, 5, 2, 2)
        self.conv2 = nn.Conv2d(64, 128, 5, 2, 2)
        for i, layer in enumerate([self.conv1, self.conv2], 1):
            layer.weight = parameter(mirror(state[f"conv{i}/weight"]))
            layer.bias = parameter(state[f"conv{i}/bias"])
        self.dense = nn.Linear(7 * 7 * 128, 1)
        weight = mirror(state["dense1/weight"].reshape(128, 7, 7)).transpose(1, 2, 0)
        set_linear(self.dense, weight.reshape(-1, 1), state["dense1/bias"])

    def forward(self, x, masks=None):
        leaky = lambda x: F.leaky_relu(x, SLOPE["michelucci-dcgan"])
        h = drop(leaky(self.conv1(x)), masks)
        h = drop(leaky(self.conv2(h)), masks)
        return self.dense(h.permute(0, 2, 3, 1).reshape(x.shape[0], -1))


class Dense(nn.Module):
    """Either network of the MLP GAN, the generator without dropout."""

    def __init__(self, state, sizes):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))
        for i, layer in enumerate(self.layers, 1):
            set_linear(layer, state[f"dense{i}/weight"], state[f"dense{i}/bias"])

    def forward(self, x, masks=None, dropped=()):
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i < len(self.layers) - 1:
                x = F.leaky_relu(x, SLOPE["guo-mlp"])
            if i in dropped:
                x = drop(x, masks)
        return x


def cross_entropy(logits, label):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


class Peer:
    def __init__(self, configuration, fixture, generator, discriminator):
        self.gan = fixture.gan
        self.generator, self.discriminator = generator, discriminator
        rate, beta1 = ADAM[self.gan]
        adam = lambda net: torch.optim.Adam(net.parameters(), rate, (beta1, BETA2), EPSILON, fused=True)
        self.adam_d, self.adam_g = adam(discriminator), adam(generator)
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
        adam.param_groups[0]["eps"] = EPSILON / math.sqrt(1 - BETA2**t)
        adam.step()


class DCGAN(Peer):
    def __init__(self, configuration, fixture):
        g = ConvGenerator(fixture.state("generator")).to(memory_format=torch.channels_last)
        d = ConvDiscriminator(fixture.state("discriminator")).to(memory_format=torch.channels_last)
        super().__init__(configuration, fixture, g, d)

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
        return self.whole(real, torch.randn(BATCH[self.gan], LATENT))

    def replay(self, feed):
        masks = [torch.from_numpy(mirror(feed[f"mask/all/{x}/dropout{i}"])) for x in ("real", "fake") for i in (1, 2)]
        return self.whole(self.images(feed["real"]), torch.from_numpy(feed["noise/0"]), iter(masks))


class MLP(Peer):
    def __init__(self, configuration, fixture):
        g = Dense(fixture.state("generator"), [LATENT, 256, 512, 1024, 784])
        d = Dense(fixture.state("discriminator"), [784, 1024, 512, 256, 1])
        super().__init__(configuration, fixture, g, d)

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
        z = [torch.randn(BATCH[self.gan], LATENT) for _ in range(2)]
        return self.whole(real, z)

    def replay(self, feed):
        masks = [iter([torch.from_numpy(feed[f"mask/{x}/dropout{i}"]) for i in (1, 2)]) for x in ("0/joined", "1/fake")]
        z = [torch.from_numpy(feed[f"noise/{i}"]) for i in range(2)]
        return self.whole(self.images(feed["real"]), z, masks)


class Pictures:
    def __init__(self, configuration, fixture):
        generator = ConvGenerator(fixture.state("generator")).eval()
        self.generator = generator.to(memory_format=torch.channels_last)

    def draw(self, n):
        return torch.randn(n, LATENT).numpy()

    def pictures(self, z):
        with torch.inference_mode():
            return self.generator(torch.from_numpy(z)).numpy()[..., ::-1, ::-1]


if __name__ == "__main__":
    common.main({"michelucci-dcgan": DCGAN, "guo-mlp": MLP}, Pictures, began, {"torch": torch.__version__})
