"""Robust-MSeg and PMKL (its student's stage) in PyTorch, as networks.py writes the others: from the method cards,
with their training losses."""
import torch
from torch import nn
from torch.nn import functional as F

from rfnet_line import CLASSES, MODALITIES, ORDER, channels, scaled


def conv(i, o, k, stride=1):
    return nn.Conv3d(i, o, k, stride, (k - 1) // 2, padding_mode="reflect" if k > 1 else "zeros")


def twice(x):
    return F.interpolate(x, scale_factor=2, mode="nearest")


class Unit(nn.Module):
    def __init__(self, i, o, k=3, stride=1, slope=0.2):
        super().__init__()
        self.conv, self.slope = conv(i, o, k, stride), slope
        self.norm = nn.InstanceNorm3d(o, eps=1e-6, affine=True)

    def forward(self, x):
        y = self.norm(self.conv(x))
        return y if self.slope == 1 else F.leaky_relu(y, self.slope, inplace=True)


class Encoder(nn.Module):
    def __init__(self, c, i=1):
        super().__init__()
        self.levels = nn.ModuleList(
            nn.ModuleList((Unit(c[l - 1] if l else i, out, 3, 2 if l else 1), Unit(out, out),
                           Unit(out, out))) for l, out in enumerate(c))

    def forward(self, x):
        outputs = []
        for first, second, third in self.levels:
            x = first(x)
            x = x + third(second(x))
            outputs.append(x)
        return outputs


class MaskDecoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        levels = range(len(c) - 1)
        self.c1 = nn.ModuleList(Unit(c[l + 1], c[l]) for l in levels)
        self.c2 = nn.ModuleList(Unit(2 * c[l], c[l]) for l in levels)
        self.out = nn.ModuleList(Unit(c[l], c[l], 1) for l in levels)
        self.classify = nn.Conv3d(c[0], CLASSES, 1)

    def forward(self, z):
        x = z[-1]
        for l in reversed(range(len(self.c1))):
            x = self.out[l](self.c2[l](torch.cat((self.c1[l](twice(x)), z[l]), 1)))
        return self.classify(x), x


class Gated(nn.Module):
    """The segmentation path: Robust-MSeg's, PMKL's teacher."""

    def __init__(self, c):
        super().__init__()
        self.encoders = nn.ModuleList(Encoder(c) for _ in range(MODALITIES))
        self.gates = nn.ModuleList(Unit(MODALITIES * o, MODALITIES, slope=1) for o in c)
        self.fusions = nn.ModuleList(Unit(MODALITIES * o, o, 1) for o in c)
        self.decoder = MaskDecoder(c)

    def fuse(self, image, mask):
        features = [e(image[:, k:k + 1]) for e, k in zip(self.encoders, ORDER)]
        fused = []
        for l, (gate, fusion) in enumerate(zip(self.gates, self.fusions)):
            f = [each[l] * mask[:, m, None, None, None, None] for m, each in enumerate(features)]
            a = gate(torch.cat(f, 1)).sigmoid()
            fused.append(fusion(torch.cat([each * a[:, m:m + 1] for m, each in enumerate(f)], 1)))
        return fused


class Style(nn.Module):
    def __init__(self, width):
        super().__init__()
        layers, i = [], 1
        for n, o in enumerate((32, 64, 128, 128, 128)):
            o = scaled(o, width)
            layers += [conv(i, o, 4 if n else 7, 2 if n else 1), nn.ReLU(inplace=True)]
            i = o
        self.layers, self.logit = nn.Sequential(*layers), nn.Conv3d(i, 8, 1)

    def forward(self, x):
        return self.logit(self.layers(x).mean((2, 3, 4), keepdim=True)).flatten(1)


class ImageDecoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        w = c[-1]
        self.mlp = nn.Sequential(nn.Linear(8, w), nn.ReLU(), nn.Linear(w, w), nn.ReLU())
        self.mu, self.sigma = nn.Linear(w, w), nn.Linear(w, w)
        self.blocks = nn.ModuleList(nn.ModuleList((conv(w, w, 3), conv(w, w, 3))) for _ in range(4))
        self.up = nn.ModuleList(conv(i, o, 5) for i, o in zip(c[:0:-1], c[-2::-1]))
        self.norms = nn.ModuleList(nn.GroupNorm(1, o, eps=1e-12) for o in c[-2::-1])

    def forward(self, x, code):
        hidden = self.mlp(code)
        mu, sigma = self.mu(hidden), self.sigma(hidden)
        adain = lambda y: (mu[..., None, None, None] * F.instance_norm(y)
                           + sigma[..., None, None, None])
        for first, second in self.blocks:
            x = x + adain(second(F.relu(adain(first(x)))))
        for up, norm in zip(self.up, self.norms):
            x = F.relu(norm(up(twice(x))))
        return x, mu, sigma


def class_loss(logits, label):
    p, target = logits.softmax(1), F.one_hot(label.long(), CLASSES).movedim(-1, 1).float()
    axes = (0, 2, 3, 4)
    counts = target.sum(axes)
    weight = (1 - counts / label.numel())[:, None, None, None]
    cross = (-weight * target * torch.log(p.clamp(0.005, 1))).sum(1).mean()
    dice = 2 * (p * target).sum(axes) / (p.square().sum(axes) + counts + 1e-7)
    return cross + 1 - dice.mean(), target


class RobustMseg(nn.Module):
    def __init__(self, width=1.0):
        super().__init__()
        c = channels(16, 4, width, 1)
        self.path = Gated(c)
        self.styles = nn.ModuleList(Style(width) for _ in range(MODALITIES))
        self.images = nn.ModuleList(ImageDecoder(c) for _ in range(MODALITIES))
        self.output = conv(c[0], 1, 7)

    def forward(self, image, mask):
        return self.path.decoder(self.path.fuse(image, mask.float()))[0].softmax(1)

    def loss(self, image, label):
        fused = self.path.fuse(image, torch.ones(len(image), MODALITIES))
        total = class_loss(self.path.decoder(fused)[0], label)[0]
        for style, decoder, k in zip(self.styles, self.images, ORDER):
            own = image[:, k:k + 1]
            x, mu, sigma = decoder(fused[-1], style(own))
            kl = 0.5 * (mu ** 2 + sigma ** 2 - 1 - (sigma ** 2).clamp_min(1e-12).log()).sum(1).mean()
            total = total + 0.1 * (own - self.output(x)).abs().mean() + 0.1 * kl
        return total


class Pmkl(nn.Module):
    def __init__(self, extent, width=1.0):
        super().__init__()
        c = channels(16, 4, width, 1)
        self.teacher, self.encoder, self.decoder = Gated(c), Encoder(c, MODALITIES), MaskDecoder(c)
        self.teacher.requires_grad_(False)
        self.window = [e // 2 for e in extent]
        positions = 1
        for e, w in zip(extent, self.window):
            positions *= e - w + 1
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(c[0] * positions, 32, bias=False), nn.ReLU(),
                          nn.Linear(32, 16, bias=False)) for _ in range(2))

    def embed(self, head, x):
        for axis in range(3):  # one axis after the other, or the peer would take a minute
            kernel = [1, 1, 1]
            kernel[axis] = self.window[axis]
            x = F.avg_pool3d(x, kernel, 1)
        return F.normalize(head(x.flatten(1)), dim=1)

    def loss(self, image, label):
        with torch.no_grad():
            t, t_features = self.teacher.decoder(
                self.teacher.fuse(image, torch.ones(len(image), MODALITIES)))
        s, s_features = self.decoder(self.encoder(image[:, ORDER]))
        total, target = class_loss(s, label)
        with torch.no_grad():
            ce = lambda logits: -(logits.log_softmax(1) * target).sum(1)
            r = F.relu(ce(s) - ce(t)) * (t.argmax(1) == label)
        k = -((t / 10).softmax(1) * (s / 10).softmax(1).clamp(0.005, 1).log()).sum(1)
        a, b = self.embed(self.heads[0], s_features), self.embed(self.heads[1], t_features)
        d = (a[:, None] - b[None]).square().sum(2).clamp_min(1e-12).sqrt()
        same = torch.eye(len(a))
        contrast = (same * d ** 2 + (1 - same) * F.relu(1 - d) ** 2).mean()
        return total + 0.5 * (r * k).sum() / (r.sum() + 1e-8) + 0.5 * contrast
