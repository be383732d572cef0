"""RFNet and mmFormer in PyTorch, as networks.py writes the others: from the method cards, with their training
losses."""
import torch
from torch import nn
from torch.nn import functional as F

MODALITIES, CLASSES = 4, 4
ORDER = [0, 2, 1, 3]  # FLAIR, T1c, T1, T2 of FLAIR, T1, T1c, T2


def channels(base, levels, width, multiple):
    return [multiple * max(1, int((base << l) * width / multiple + 0.5)) for l in range(levels)]


def scaled(count, width):
    return max(2, int(count * width + 0.5))


def enlarge(x, factor=2):
    return F.interpolate(x, scale_factor=factor, mode="trilinear", align_corners=True)


class Unit(nn.Module):
    """Convolution, norm and activation, in either order."""

    def __init__(self, i, o, k=3, stride=1, first=False, padding="reflect"):
        super().__init__()
        self.conv = nn.Conv3d(i, o, k, stride, k // 2, padding_mode=padding if k > 1 else "zeros")
        self.norm, self.first = nn.InstanceNorm3d(i if first else o), first

    def forward(self, x):
        if self.first:
            return self.conv(F.leaky_relu(self.norm(x), 0.2, inplace=True))
        return F.leaky_relu(self.norm(self.conv(x)), 0.2, inplace=True)


class Encoder(nn.Module):
    def __init__(self, c, first):
        super().__init__()
        self.levels = nn.ModuleList()
        for l, out in enumerate(c):
            start = (nn.Conv3d(1, out, 3, padding=1, padding_mode="reflect") if l == 0 and first
                     else Unit(c[l - 1] if l else 1, out, 3, 2 if l else 1, first))
            self.levels.append(nn.ModuleList((start, Unit(out, out, first=first),
                                              Unit(out, out, first=first))))

    def forward(self, x):
        outputs = []
        for start, second, third in self.levels:
            x = start(x)
            x = x + third(second(x))
            outputs.append(x)
        return outputs


class Trunk(nn.Module):
    def __init__(self, c, first):
        super().__init__()
        self.c1 = nn.ModuleList(Unit(c[l + 1], c[l], first=first) for l in range(len(c) - 1))
        self.c2 = nn.ModuleList(Unit(2 * c[l], c[l], first=first) for l in range(len(c) - 1))
        self.out = nn.ModuleList(Unit(c[l], c[l], 1, first=first) for l in range(len(c) - 1))
        self.classify = nn.Conv3d(c[0], CLASSES, 1)


class Separate(Trunk):
    def forward(self, levels):
        x = levels[-1]
        for l in reversed(range(len(self.c1))):
            x = self.out[l](self.c2[l](torch.cat((self.c1[l](enlarge(x)), levels[l]), 1)))
        return self.classify(x).softmax(1)


def class_loss(p, target):
    """Cross entropy with weights of rarity, and Dice over the batch."""
    counts = target.sum((2, 3, 4))
    weight = (1 - counts / target[0, 0].numel())[..., None, None, None]
    cross = (-weight * target * torch.log(p.clamp(0.005, 1))).sum(1).mean()
    axes = (0, 2, 3, 4)
    overlap, both = (p * target).sum(axes), p.sum(axes) + target.sum(axes)
    return cross + 1 - (2 * overlap / (both + 1e-7)).mean()


class ClassTrained(nn.Module):
    """What both have in common: training under all modalities."""

    def loss(self, image, label):
        mask = torch.ones(len(image), MODALITIES, dtype=torch.bool)
        target = F.one_hot(label.long(), CLASSES).movedim(-1, 1).float()
        return sum(class_loss(p, target) for p in self.outputs(image, mask))


def masked(features, mask):
    """[modality][level] -> per level N x M x c x ..., 0 where a modality is missing."""
    result = []
    for level in zip(*features):
        y = torch.stack(level, 1)
        kept = torch.zeros_like(y)
        kept[mask] = y[mask]
        result.append(kept)
    return result


class Fusion(nn.Module):
    def __init__(self, c, hidden):
        super().__init__()
        self.weights = nn.ModuleList(
            nn.Sequential(nn.Conv3d(MODALITIES * c + 1, hidden, 1), nn.LeakyReLU(0.2, inplace=True),
                          nn.Conv3d(hidden, MODALITIES, 1), nn.Sigmoid()) for _ in range(CLASSES))
        three = lambda i: nn.Sequential(Unit(i, c, 1), Unit(c, c), Unit(c, c // 2, 1))
        self.regions, self.short_cut = three(CLASSES * c), three(MODALITIES * c)

    def forward(self, y, prm):
        n, m, c = y.shape[:3]
        prm, fused = prm.detach(), []
        for i in range(CLASSES):
            gate = prm[:, i, None, None]
            region = y * gate
            extent = gate.mean((3, 4, 5)) + 1e-7
            means = region.mean((3, 4, 5)) / extent
            vector = torch.cat((means.flatten(1), extent.flatten(1)), 1)[..., None, None, None]
            weight = self.weights[i](vector).view(n, m, 1, 1, 1, 1)
            fused.append((region * weight).sum(1))
        return torch.cat((self.regions(torch.cat(fused, 1)), self.short_cut(y.flatten(1, 2))), 1)


class Map(nn.Module):
    def __init__(self, c, hidden, below):
        super().__init__()
        self.embedding = nn.Sequential(Unit(MODALITIES * c, max(1, c // 4), 1),
                                       Unit(max(1, c // 4), max(1, c // 4)),
                                       Unit(max(1, c // 4), c, 1))
        self.head = nn.Sequential(Unit(2 * c if below else c, hidden, 1),
                                  nn.Conv3d(hidden, CLASSES, 1))

    def forward(self, y, below=None):
        x = self.embedding(y.flatten(1, 2))
        return self.head(x if below is None else torch.cat((below, x), 1)).softmax(1)


class RfNet(ClassTrained):
    def __init__(self, width=1.0):
        super().__init__()
        c = channels(16, 4, width, 4)
        self.encoders = nn.ModuleList(Encoder(c, False) for _ in range(MODALITIES))
        self.trunk, self.separate = Trunk(c, False), Separate(c, False)
        self.fusions = nn.ModuleList(Fusion(each, scaled(128, width)) for each in c)
        self.maps = nn.ModuleList(Map(each, scaled(16, width), l < 3) for l, each in enumerate(c))

    def fuse(self, y):
        maps = [None] * 4
        maps[3] = self.maps[3](y[3])
        x = self.fusions[3](y[3], maps[3])
        for l in (2, 1, 0):
            up = self.trunk.c1[l](enlarge(x))
            maps[l] = self.maps[l](y[l], up)
            joined = torch.cat((self.fusions[l](y[l], maps[l]), up), 1)
            x = self.trunk.out[l](self.trunk.c2[l](joined))
        return self.trunk.classify(x).softmax(1), maps

    def encode(self, image):
        return [e(image[:, k:k + 1]) for e, k in zip(self.encoders, ORDER)]

    def forward(self, image, mask):
        return self.fuse(masked(self.encode(image), mask))[0]

    def outputs(self, image, mask):
        features = self.encode(image)
        p, maps = self.fuse(masked(features, mask))
        return ([p] + [self.separate(f) for f in features]
                + [maps[0]] + [enlarge(maps[l], 1 << l) for l in (1, 2, 3)])


class Transformer(nn.Module):
    def __init__(self, width, heads=8):
        super().__init__()
        self.heads, self.drop = heads, nn.Dropout(0.1)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 8 * width), nn.GELU(), nn.Dropout(0.1),
                                 nn.Linear(8 * width, width), nn.Dropout(0.1))

    def forward(self, x, position):
        x = x + position
        q, k, v = self.qkv(self.norm1(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        attention = self.drop((q @ k.transpose(2, 3) * q.shape[3] ** -0.5).softmax(-1))
        x = x + self.drop(self.drop(self.proj((attention @ v).transpose(1, 2).flatten(2))))
        return x + self.mlp(self.norm2(x))


class MmFormer(ClassTrained):
    def __init__(self, extent, width=1.0):
        super().__init__()
        c = channels(8, 5, width, 2)
        d = 8 * max(1, int(64 * width + 0.5))
        self.grid = [e // 16 for e in extent]
        tokens = self.grid[0] * self.grid[1] * self.grid[2]
        each = lambda make: nn.ModuleList(make() for _ in range(MODALITIES))
        self.positions = nn.ParameterList(torch.zeros(1, tokens, d) for _ in range(MODALITIES))
        self.encoders, self.intra = each(lambda: Encoder(c, True)), each(lambda: Transformer(d))
        self.to_tokens = each(lambda: nn.Conv3d(c[-1], d, 1))
        self.unused = each(lambda: nn.Conv3d(d, c[-1], 1))
        self.inter = Transformer(d)
        self.from_tokens = nn.Conv3d(MODALITIES * d, MODALITIES * c[-1], 1)
        self.trunk, self.separate = Trunk(c, True), Separate(c, True)
        self.fusions = nn.ModuleList(
            nn.Sequential(Unit(MODALITIES * k, k, 1, first=True),
                          Unit(k, k, first=True, padding="zeros"), Unit(k, k, 1, first=True))
            for k in c)
        self.deep = nn.ModuleList(nn.Conv3d(k, CLASSES, 1) for k in c[1:])

    def encode(self, image):
        features = [e(image[:, k:k + 1]) for e, k in zip(self.encoders, ORDER)]
        tokens = [t(conv(f[-1]).flatten(2).transpose(1, 2), p) for f, conv, t, p
                  in zip(features, self.to_tokens, self.intra, self.positions)]
        return features, tokens

    def fuse(self, features, tokens, mask, deep):
        y = masked([f[:4] + [t] for f, t in zip(features, tokens)], mask)
        mixed = self.inter(y[4].flatten(1, 2), torch.cat(list(self.positions), 1))
        mixed = mixed.reshape(len(mixed), *self.grid, -1).permute(0, 4, 1, 2, 3)
        x, outputs = self.fusions[4](self.from_tokens(mixed.contiguous())), [None] * 4
        for l in (3, 2, 1, 0):
            if deep:
                outputs[l] = self.deep[l](x).softmax(1)
            fused = self.fusions[l](y[l].flatten(1, 2))
            joined = torch.cat((fused, self.trunk.c1[l](enlarge(x))), 1)
            x = self.trunk.out[l](self.trunk.c2[l](joined))
        return self.trunk.classify(x).softmax(1), outputs

    def forward(self, image, mask):
        return self.fuse(*self.encode(image), mask, False)[0]

    def outputs(self, image, mask):
        features, tokens = self.encode(image)
        p, deep = self.fuse(features, tokens, mask, True)
        return ([p] + [self.separate(f) for f in features]
                + [enlarge(deep[l], 2 << l) for l in range(4)])
