"""The networks of MCKD and ShaSpec and the plain U-Net in PyTorch (MST-KDNet: mst_kdnet.py; RFNet, mmFormer: rfnet_line.py;
Robust-MSeg, PMKL: gated.py), written the way a researcher writes them: modules, autograd and nothing else. From the method card; parameter
counts equal the published ones."""
import torch
from torch import nn
from torch.nn import functional as F

from gated import Pmkl, RobustMseg
from mst_kdnet import MstKd
from rfnet_line import ORDER as CHANNELS, MmFormer, RfNet
from widths import scaled

SLOPE = 0.01


class WSConv3d(nn.Conv3d):
    """Convolution whose weights have mean 0 and standard deviation 1 per output channel."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, bias=False, **kwargs)

    def forward(self, x):
        weight = self.weight - self.weight.mean(dim=(1, 2, 3, 4), keepdim=True)
        std = torch.sqrt(torch.var(weight.flatten(1), dim=1) + 1e-12).view(-1, 1, 1, 1, 1)
        return F.conv3d(x, weight / std, None, self.stride, self.padding, self.dilation)


class Norm(nn.Module):
    """nn.InstanceNorm3d(affine=True), which in training also refuses one voxel per channel."""

    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        return torch.instance_norm(x, self.weight, self.bias, None, None, True, 0.1, 1e-5, True)


def conv_norm(i, o, k=1, **kwargs):
    return nn.Sequential(WSConv3d(i, o, k, **kwargs), Norm(o))


class Bottleneck(nn.Module):
    def __init__(self, i, planes, stride, project):
        super().__init__()
        self.conv1, self.norm1 = WSConv3d(i, planes, 1), Norm(planes)
        self.conv2, self.norm2 = WSConv3d(planes, planes, 3, stride=stride, padding=1), Norm(planes)
        self.conv3, self.norm3 = WSConv3d(planes, 4 * planes, 1), Norm(4 * planes)
        self.act = nn.LeakyReLU(SLOPE, inplace=True)
        self.downsample = conv_norm(i, 4 * planes, stride=stride) if project else None

    def forward(self, x):
        y = self.act(self.norm1(self.conv1(x)))
        y = self.act(self.norm2(self.conv2(y)))
        y = self.norm3(self.conv3(y))
        return self.act(y + (self.downsample(x) if self.downsample else x))


class BasicBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.conv1, self.norm1 = WSConv3d(c, c, 3, padding=1), Norm(c)
        self.conv2, self.norm2 = WSConv3d(c, c, 3, padding=1), Norm(c)
        self.act = nn.LeakyReLU(SLOPE, inplace=True)

    def forward(self, x):
        y = self.act(self.norm1(self.conv1(x)))
        return self.act(self.norm2(self.conv2(y)) + x)


class Encoder(nn.Module):
    def __init__(self, width):
        super().__init__()
        stem = scaled(64, width)
        self.conv1 = WSConv3d(1, stem, 7, stride=(1, 2, 2), padding=3)
        self.norm1 = Norm(stem)
        self.act = nn.LeakyReLU(SLOPE, inplace=True)
        self.pool = nn.MaxPool3d(3, 2, 1)
        channels, self.skips, layers = stem, [stem], []
        for index, (planes, blocks) in enumerate(zip((64, 128, 256, 320), (3, 4, 6, 3))):
            planes = scaled(planes, width)
            stage = [Bottleneck(channels, planes, 1 if index == 0 else 2, True)]
            channels = 4 * planes
            stage += [Bottleneck(channels, planes, 1, False) for _ in range(blocks - 1)]
            layers.append(nn.Sequential(*stage))
            self.skips.append(channels)
        self.layers = nn.ModuleList(layers)
        c = self.features = scaled(256, width)
        self.reduce = conv_norm(channels, c)
        self.branches = nn.ModuleList(
            [conv_norm(c, c)] + [conv_norm(c, c, 3, padding=d, dilation=d) for d in (2, 4, 8)])
        self.pooled = conv_norm(c, c)
        self.cat = conv_norm(5 * c, c)

    def forward(self, x):
        x = self.act(self.norm1(self.conv1(x)))
        levels = [x]
        x = self.pool(x)
        for layer in self.layers:
            x = layer(x)
            levels.append(x)
        x = self.act(self.reduce(x))
        parts = [self.act(branch(x)) for branch in self.branches]
        mean = x.mean(dim=(2, 3, 4), keepdim=True)
        pooled = self.act(self.pooled(mean))
        parts.append(F.interpolate(pooled, size=x.shape[2:], mode="trilinear", align_corners=True))
        return self.act(self.cat(torch.cat(parts, 1))), levels[:4], mean


class Decoder(nn.Module):
    def __init__(self, modalities, features, skips, outputs, width):
        super().__init__()
        channels = [scaled(c, width) for c in (32, 64, 128, 256)]
        self.shortcuts = nn.ModuleList(conv_norm(modalities * s, c) for s, c in zip(skips, channels))
        inputs = channels[1:] + [modalities * features]
        self.up = nn.ModuleList(
            nn.ConvTranspose3d(i, c, 2, 2, bias=False) for i, c in zip(inputs, channels))
        self.blocks = nn.ModuleList(BasicBlock(c) for c in channels)
        self.act = nn.LeakyReLU(SLOPE, inplace=True)
        self.classifier = nn.Conv3d(channels[0], outputs, 1, bias=False)

    def forward(self, x, skips):
        for i in (3, 2, 1, 0):
            x = self.blocks[i](self.up[i](x) + self.act(self.shortcuts[i](skips[i])))
        return F.interpolate(self.classifier(x), scale_factor=(1, 2, 2), mode="trilinear",
                             align_corners=False)


def initialise_fan_out(network):
    for module in network.modules():
        if isinstance(module, (nn.Conv3d, nn.ConvTranspose3d)):
            fan_out = module.weight.shape[0] * module.weight[0, 0].numel()
            nn.init.normal_(module.weight, 0, (2 / fan_out) ** 0.5)


class Mckd(nn.Module):
    def __init__(self, modalities=4, outputs=3, width=1.0):
        super().__init__()
        self.encoder = Encoder(width)
        self.decoder = Decoder(modalities, self.encoder.features, self.encoder.skips, outputs, width)
        self.importance = nn.Parameter(torch.rand(modalities))
        initialise_fan_out(self)

    def forward(self, image):
        """All modalities present. Logits, and the bottleneck features N x M x C x D x H x W."""
        n, m = image.shape[:2]
        features, skips, _ = self.encoder(image.reshape(n * m, 1, *image.shape[2:]))
        logits = self.decoder(features.reshape(n, -1, *features.shape[2:]),
                              [s.reshape(n, -1, *s.shape[2:]) for s in skips])
        return logits, features.reshape(n, m, *features.shape[1:])

    def distillation(self, features):
        weights = torch.softmax(self.importance, 0).detach()
        loss = 0
        for i in range(features.shape[1]):
            for j in range(features.shape[1]):
                if i != j:
                    ratio = weights[i] / weights[j]
                    loss = loss + ratio * F.l1_loss(features[:, j], features[:, i].detach())
        return loss


class ShaSpec(nn.Module):
    def __init__(self, modalities=4, outputs=3, width=1.0):
        super().__init__()
        self.encoder = Encoder(width)
        self.decoder = Decoder(modalities, self.encoder.features, self.encoder.skips, outputs, width)
        self.private = nn.ModuleList(Encoder(width) for _ in range(modalities))
        initialise_fan_out(self)
        c = self.encoder.features
        self.compose = WSConv3d(2 * c, c, 3, padding=1)
        self.classifier = nn.Linear(c, modalities)

    def forward(self, image):
        """All modalities present. Logits, shared features N x M x C x D x H x W, and what the
        classifier says of the private ones, N x M x M."""
        n, m = image.shape[:2]
        shared, skips, _ = self.encoder(image.reshape(n * m, 1, *image.shape[2:]))
        own = [encoder(image[:, i:i + 1]) for i, encoder in enumerate(self.private)]
        private = torch.stack([features for features, _, _ in own], 1).flatten(0, 1)
        domains = self.classifier(torch.stack([mean.flatten(1) for _, _, mean in own], 1))
        fused = shared + self.compose(torch.cat((shared, private), 1))
        logits = self.decoder(fused.reshape(n, -1, *fused.shape[2:]),
                              [s.reshape(n, -1, *s.shape[2:]) for s in skips])
        return logits, shared.reshape(n, m, *shared.shape[1:]), domains

    @staticmethod
    def helper_losses(shared, domains):
        n, m = domains.shape[:2]
        ring = sum(F.l1_loss(shared[:, i], shared[:, (i + 1) % m]) for i in range(m))
        classes = torch.arange(m).repeat(n)
        return 0.1 * ring + 0.02 * F.cross_entropy(domains.flatten(0, 1), classes)


class UNet(nn.Module):
    def __init__(self, modalities=4, outputs=3, width=1.0, levels=6):
        super().__init__()

        def block(i, o, stride):
            return nn.Sequential(
                nn.Conv3d(i, o, 3, stride=stride, padding=1, bias=False), Norm(o),
                nn.LeakyReLU(SLOPE, inplace=True),
                nn.Conv3d(o, o, 3, padding=1, bias=False), Norm(o),
                nn.LeakyReLU(SLOPE, inplace=True))

        channels = [scaled(min(32 << level, 320), width) for level in range(levels)]
        self.down = nn.ModuleList(block(i, o, 1 if level == 0 else 2) for level, (i, o) in
                                  enumerate(zip([modalities] + channels, channels)))
        self.up = nn.ModuleList(
            nn.ConvTranspose3d(below, o, 2, 2) for o, below in zip(channels, channels[1:]))
        self.refine = nn.ModuleList(block(2 * o, o, 1) for o in channels[:-1])
        self.head = nn.Conv3d(channels[0], outputs, 1)

    def forward(self, x):
        skips = []
        for block in self.down:
            x = block(x)
            skips.append(x)
        for up, block, skip in reversed(list(zip(self.up, self.refine, skips))):
            x = block(torch.cat((up(x), skip), 1))
        return self.head(x)


KINDS = {"mckd": Mckd, "mmformer": MmFormer, "mst-kdnet": MstKd, "pmkl": Pmkl, "rfnet": RfNet,
         "robust-mseg": RobustMseg, "shaspec": ShaSpec, "unet": UNet}
SIZED = ("mmformer", "mst-kdnet", "pmkl")  # made for one extent
OWN_LOSS = ("mmformer", "mst-kdnet", "pmkl", "rfnet", "robust-mseg")


def dice_loss(logits, target):
    p, t = torch.sigmoid(logits).flatten(2), target.flatten(2)
    return 1 - (2 * (p * t).sum(2) / (p.sum(2) + t.sum(2) + 1)).mean()


def targets(label):
    """Tissue 1 necrosis, 2 oedema, 3 enhancing -> ET, WT, TC."""
    return torch.stack((label == 3, label > 0, (label == 1) | (label == 3)), 1).float()


def loss_of(name, model, image, label):
    if name in OWN_LOSS:
        return model.loss(image, label)
    target = targets(label)
    if name == "mckd":
        logits, features = model(image)
        bce = 3 * F.binary_cross_entropy_with_logits(logits, target)
        return dice_loss(logits, target) + bce + 0.1 * model.distillation(features)
    if name == "shaspec":
        logits, shared, domains = model(image)
        bce = 3 * F.binary_cross_entropy_with_logits(logits, target)
        return dice_loss(logits, target) + bce + model.helper_losses(shared, domains)
    logits = model(image)
    return dice_loss(logits, target) + F.binary_cross_entropy_with_logits(logits, target)
