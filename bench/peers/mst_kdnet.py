"""The networks of MST-KDNet in PyTorch, as networks.py writes the others: teacher, student,
discriminator and the loss of the joint phase."""
import torch
from torch import nn
from torch.nn import functional as F

from widths import scaled


class PreActivationBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gn1, self.conv1 = nn.GroupNorm(8, c), nn.Conv3d(c, c, 3, padding=1)
        self.gn2, self.conv2 = nn.GroupNorm(8, c), nn.Conv3d(c, c, 3, padding=1)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.conv2(self.act(self.gn2(self.conv1(self.act(self.gn1(x)))))) + x


class TransformerLayer(nn.Module):
    def __init__(self, width, hidden, heads=12):
        super().__init__()
        self.heads, self.drop = heads, nn.Dropout(0.1)
        self.attention_norm, self.mlp_norm = nn.LayerNorm(width, 1e-6), nn.LayerNorm(width, 1e-6)
        self.w_1, self.w_2 = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x):
        y = self.attention_norm(x)
        q, k, v = (f(y).unflatten(2, (self.heads, -1)).transpose(1, 2)
                   for f in (self.query, self.key, self.value))
        attention = torch.softmax(q @ k.transpose(2, 3) / q.shape[3] ** 0.5, -1)
        mixed = (self.drop(attention) @ v).transpose(1, 2).flatten(2)
        x = x + self.drop(self.out(mixed))
        return x + self.w_2(self.drop(torch.relu(self.w_1(self.mlp_norm(x))))), attention


def conv_bn(i, o, stride=1):
    return nn.Sequential(nn.Conv3d(i, o, 3, stride, 1), nn.BatchNorm3d(o), nn.ReLU(inplace=True))


def up_bn(i, o):
    return nn.Sequential(nn.ConvTranspose3d(i, o, 2, 2), conv_bn(o, o))


class Unetr(nn.Module):
    def __init__(self, channels, extent, width):
        super().__init__()
        c = {n: scaled(n, width) for n in (32, 64, 128, 256, 512)}
        self.grid = [e // 4 for e in extent]
        k = 12 * c[64]
        self.position = nn.Parameter(torch.zeros(1, self.grid[0] * self.grid[1] * self.grid[2], k))
        self.patches, self.drop = nn.Conv3d(channels, k, 4, 4), nn.Dropout(0.1)
        self.layers = nn.ModuleList(TransformerLayer(k, scaled(2048, width)) for _ in range(12))
        self.encoder_norm = nn.LayerNorm(k)
        self.decoder0 = nn.Sequential(conv_bn(channels, c[32]), conv_bn(c[32], c[64]))
        self.decoder3 = nn.Sequential(up_bn(k, c[512]), up_bn(c[512], c[256]),
                                      up_bn(c[256], c[128]))
        self.decoder6 = nn.Sequential(up_bn(k, c[512]), up_bn(c[512], c[256]))
        self.decoder9 = up_bn(k, c[512])
        up = lambda i, o: nn.ConvTranspose3d(i, o, 2, 2)
        self.up12 = up(k, c[512])
        self.up9 = nn.Sequential(conv_bn(2 * c[512], c[512]), conv_bn(c[512], c[512]),
                                 conv_bn(c[512], c[512]), up(c[512], c[256]))
        self.up6 = nn.Sequential(conv_bn(2 * c[256], c[256]), conv_bn(c[256], c[256]),
                                 up(c[256], c[128]))
        self.up3 = nn.Sequential(conv_bn(2 * c[128], c[128], 2), conv_bn(c[128], c[128], 2),
                                 up(c[128], c[64]))
        self.head = nn.Sequential(conv_bn(2 * c[64], c[64]), conv_bn(c[64], c[64]),
                                  nn.Conv3d(c[64], channels, 1))

    def forward(self, x):
        tokens = self.drop(self.patches(x).flatten(2).transpose(1, 2) + self.position)
        taps, maps = [], []
        for index, layer in enumerate(self.layers):
            tokens, attention = layer(tokens)
            if index % 3 == 2:
                taps.append(tokens.transpose(1, 2).unflatten(2, self.grid))
                maps.append(attention)
        f12 = self.up12(taps[3])
        f9 = self.up9(torch.cat((self.decoder9(taps[2]), f12), 1))
        f6 = self.up6(torch.cat((self.decoder6(taps[1]), f9), 1))
        f3 = self.up3(torch.cat((self.decoder3(taps[0]), f6), 1))
        return self.head(torch.cat((self.decoder0(x), f3), 1)), (f3, f6, f9, f12), maps


class MstKdNet(nn.Module):
    def __init__(self, extent, modalities=4, outputs=4, width=1.0):
        super().__init__()
        b, block = 8 * max(1, int(2 * width + 0.5)), PreActivationBlock
        self.first, self.level1 = nn.Conv3d(modalities, b, 3, padding=1), block(b)
        self.down1 = nn.Conv3d(b, 2 * b, 3, 2, 1)
        self.level2 = nn.Sequential(block(2 * b), block(2 * b))
        self.down2 = nn.Conv3d(2 * b, 4 * b, 3, 2, 1)
        self.level3 = nn.Sequential(block(4 * b), block(4 * b))
        self.down3 = nn.Conv3d(4 * b, 8 * b, 3, 2, 1)
        self.level4 = nn.Sequential(*(block(8 * b) for _ in range(4)))
        self.unetr = Unetr(8 * b, [e // 8 for e in extent], width)
        self.style, self.merge = nn.Conv3d(20 * b, 8 * b, 1), nn.Conv3d(16 * b, 8 * b, 1)
        self.drop, self.up = nn.Dropout(0.2), nn.Upsample(scale_factor=2)
        self.reduce = nn.ModuleList(nn.Conv3d(2 * c, c, 1) for c in (4 * b, 2 * b, b))
        self.refine = nn.ModuleList(block(c) for c in (4 * b, 2 * b, b))
        self.last = nn.Conv3d(b, outputs, 1)

    def forward(self, x):
        c1 = self.level1(self.first(x))
        c2 = self.level2(self.down1(c1))
        c2d = self.down2(c2)
        c3 = self.level3(c2d)
        c3d = self.down3(c3)
        o, features, maps = self.unetr(c3d)
        o = o + c3d
        content = self.level4(o)
        style = self.style(torch.cat((F.max_pool3d(c2d, 2), c3d, o), 1))
        x = self.drop(self.merge(torch.cat((style, content), 1)))
        for reduce, refine, skip in zip(self.reduce, self.refine, (c3, c2, c1)):
            x = refine(self.up(reduce(x)) + skip)
        return self.last(x), style, content, features, maps, (c3d, style, content)


class MstKd(nn.Module):
    """Teacher, student and discriminator; loss() is that of the joint phase."""

    def __init__(self, extent, width=1.0):
        super().__init__()
        self.evd_weight = 1e8 * (extent[0] * extent[1] * extent[2] / (120 * 32 ** 3)) ** 4
        self.full, self.missing = (MstKdNet(extent, width=width) for _ in range(2))
        layers, channels, left = [], self.full.style.out_channels, [e // 8 for e in extent]
        for out in (scaled(c, width) for c in (64, 128, 256)):
            padding = [1 if e > 1 else 2 for e in left]
            left = [max(1, e // 2) for e in left]
            layers += [nn.Conv3d(channels, out, 4, 2, padding), nn.LeakyReLU(0.2, inplace=True)]
            channels = out
        self.judge = nn.Sequential(*layers, nn.Conv3d(channels, 1, left))
        for parameter in self.judge.parameters():
            parameter.requires_grad_(False)  # the joint phase trains the networks

    def loss(self, image, label, ramp=0.0673795):
        target = torch.stack([label == tissue for tissue in (1, 2, 3, 0)], 1).float()
        f, m = self.full(image), self.missing(image)
        p, q = torch.sigmoid(f[0]), torch.sigmoid(m[0])

        def dice(x):
            return sum(1 - 2 * (x[:, c] * target[:, c]).sum()
                       / ((x[:, c] ** 2).sum() + (target[:, c] ** 2).sum() + 1e-7)
                       for c in range(4))

        def extremes(maps):
            s = torch.stack(maps)
            return s.max(0)[0], s.min(0)[0], s.mean(0)

        evd = sum(F.mse_loss(a * x, b * y) for x, y in zip(extremes(f[4]), extremes(m[4]))
                  for a, b in zip(f[4], m[4]))

        def standard(logits):
            std, mean = torch.std_mean(logits, 1, keepdim=True)
            return F.log_softmax((logits - mean) / (std + 1e-7) / 7, 1)

        a, b = standard(f[0]), standard(m[0])
        slkd = 49 * (a.exp() * (a - b)).mean()
        gsm = 0
        for i in range(3):
            one, two = ((g[i].flatten(2) @ g[i - 1].flatten(2).transpose(1, 2)) / g[i][0].numel()
                        for g in (f[5], m[5]))
            plane = f[5][i].shape[2] * f[5][i].shape[3]
            gsm = gsm + ((one - two) ** 2).sum() * 1e-4 / (4 * f[5][i].shape[1] ** 2 * plane ** 2)
        judged = self.judge(m[1])
        return (0.4 * dice(p) + 0.6 * dice(q)
                + ramp * sum(F.mse_loss(p[:, c], q[:, c]) for c in range(4))
                + 0.2 * F.mse_loss(f[2], m[2])
                + 0.2 * sum(F.mse_loss(x, y) for x, y in zip(f[3], m[3]))
                + self.evd_weight * evd + slkd + gsm
                + 2e-4 * F.binary_cross_entropy_with_logits(judged, torch.zeros_like(judged)))
