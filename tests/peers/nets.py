"""The networks of the peers' scripts in PyTorch, DDPM++, NCSN++ and ADM U-Nets, as model/README.md describes them ("Networks")."""
import math
import sys

NOT_OF_SIZE = ("kind", "batch", "parameters", "dropout", "dropout_at", "scale_shift", "weight_head")


def make_net(config, slices=False):
    """In PyTorch's default dtype. config: kind, side, image (channels), width, mult, blocks, attend (sides); classes, dropout, dropout_at and
    scale_shift where they are not the defaults; weight_head: it answers a weight of its loss, too (weight_of); parameters: how many there have to be. slices: NCSN++'s filter as a sum of shifted slices."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    adm, residual = config["kind"] == "adm", config["kind"] == "ncsnpp"
    scale = 1.0 if adm else math.sqrt(0.5)
    shifts = adm and config.get("scale_shift", True)

    class Norm(nn.GroupNorm):  # in float32 at least whatever comes in, as autocast has it on a GPU but not on the CPU
        def forward(self, x):
            return super().forward(x if x.dtype == torch.float64 else x.float())

    def norm(channels):
        return Norm(min(32, channels // 4), channels, eps=1e-5 if adm else 1e-6)

    tap = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    smooth = tap[:, None] * tap[None]

    def plain(q, k, v):  # PyTorch 1.13 has no other
        return torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]), dim=-1) @ v

    attend_to = getattr(F, "scaled_dot_product_attention", plain)

    def halved(x, dim):
        count = x.shape[dim] - 3
        a, b, c, d = (x.narrow(dim, i, count)[(slice(None),) * dim + (slice(None, None, 2),)] for i in range(4))
        return (a + d) * 0.125 + (b + c) * 0.375

    def filtered_down(x, padding):
        if slices:
            return halved(halved(F.pad(x, (padding,) * 4), 3), 2)
        return F.conv2d(x, smooth.expand(x.shape[1], 1, 4, 4), stride=2, padding=padding, groups=x.shape[1])

    def down(x):
        return filtered_down(x, 1) if residual else F.avg_pool2d(x, 2)

    def up(x):
        if not residual:
            return F.interpolate(x, scale_factor=2, mode="nearest")
        x = F.interpolate(F.pad(x, (1, 1, 1, 1)), scale_factor=2, mode="bilinear", align_corners=False)
        return x[:, :, 2:-2, 2:-2]  # the same taps, with zeros outside

    class Block(nn.Module):
        drop = staticmethod(F.dropout)  # (h, p); a block may be given masks of its own

        def __init__(self, cin, cout, emb, how=None, attend=False, side=0):  # side: of what enters
            super().__init__()
            self.dropout = config.get("dropout", 0) if side <= config.get("dropout_at", side) else 0
            self.resample = how or (lambda x: x)
            self.norm0, self.conv0 = norm(cin), nn.Conv2d(cin, cout, 3, padding=1)
            self.affine = nn.Linear(emb, 2 * cout if shifts else cout)
            self.norm1, self.conv1 = norm(cout), nn.Conv2d(cout, cout, 3, padding=1)
            self.skip = nn.Conv2d(cin, cout, 1) if cin != cout or (how and not adm) else None
            self.heads = (cout // 64 if adm else 1) if attend else 0
            if self.heads:
                self.norm2, self.qkv, self.proj = norm(cout), nn.Conv2d(cout, 3 * cout, 1), nn.Conv2d(cout, cout, 1)

        def layers(self):
            yield from (("norm", self.norm0), ("plain", self.conv0), ("plain", self.affine), ("norm", self.norm1), ("last", self.conv1))
            if self.skip:
                yield "plain", self.skip
            if self.heads:
                yield from (("norm", self.norm2), ("qkv", self.qkv), ("last", self.proj))

        def forward(self, x, emb):
            h = self.conv0(self.resample(F.silu(self.norm0(x))))
            e = self.affine(emb)[:, :, None, None]
            if shifts:
                by, shift = e.chunk(2, dim=1)
                h = F.silu(torch.addcmul(shift, self.norm1(h), by + 1))
            else:
                h = F.silu(self.norm1(h + e))
            h = self.conv1(self.drop(h, self.dropout))
            x = self.resample(x)
            x = (h + (self.skip(x) if self.skip else x)) * scale
            if self.heads:
                n, c, rows, cols = x.shape
                wide = c // self.heads
                q, k, v = self.qkv(self.norm2(x)).reshape(n, self.heads, wide, 3, rows * cols).transpose(2, 4).unbind(3)
                a = attend_to(q, k, v).transpose(2, 3).reshape(n, c, rows, cols)
                x = (x + self.proj(a)) * scale
            return x

    class Net(nn.Module):
        def __init__(self, side, image, width, mult, blocks, attend, classes=0):
            super().__init__()
            emb, wave = 4 * width, 2 * width if residual else width
            half = wave // 2
            if residual:
                freqs = 2 * math.pi * torch.randn(half)
            else:
                freqs = 10000.0 ** (-torch.arange(half, dtype=torch.float64) / (half if adm else half - 1))
            self.register_buffer("freqs", freqs.to(torch.get_default_dtype()))
            self.weight = nn.Linear(wave, 1) if config.get("weight_head") else None
            self.map0, self.map1 = nn.Linear(wave, emb), nn.Linear(emb, emb)
            self.label = nn.Linear(classes, emb if adm else wave, bias=not adm) if classes else None
            c = width * mult[0] if adm else width
            self.first = nn.Conv2d(image, c, 3, padding=1)
            self.enc, self.dec, self.aux = nn.ModuleList(), nn.ModuleList(), nn.ModuleDict()
            self.joins = []
            kept, seen = [c], image
            for level, m in enumerate(mult):
                if level:
                    self.enc.append(Block(c, c, emb, down, side=side >> (level - 1)))
                    kept.append(c)
                    if residual:
                        self.aux[str(len(self.enc) - 1)] = nn.Conv2d(seen, c, 3, padding=2)
                        seen = c
                for _ in range(blocks):
                    self.enc.append(Block(c, width * m, emb, attend=side >> level in attend, side=side >> level))
                    c = width * m
                    kept.append(c)
            for level in reversed(range(len(mult))):
                if level == len(mult) - 1:
                    self.add(Block(c, c, emb, attend=True, side=side >> level), False)
                    self.add(Block(c, c, emb, side=side >> level), False)
                else:
                    self.add(Block(c, c, emb, up, side=side >> (level + 1)), False)
                for i in range(blocks + 1):
                    there = side >> level in attend and (adm or i == blocks)
                    self.add(Block(c + kept.pop(), width * mult[level], emb, attend=there, side=side >> level), True)
                    c = width * mult[level]
            self.last_norm, self.last = norm(c), nn.Conv2d(c, image, 3, padding=1)

        def layers(self):
            """(role, layer) in the order of the field's state dicts. Roles differ in their initial values: norm, plain, qkv, last (of a branch),
            label, zero."""
            if self.weight:
                yield "zero", self.weight
            if self.label and not adm:
                yield "plain", self.label
            yield from (("plain", self.map0), ("plain", self.map1))
            if self.label and adm:
                yield "label", self.label
            yield "plain", self.first
            for i, block in enumerate(self.enc):
                yield from block.layers()
                if str(i) in self.aux:
                    yield "plain", self.aux[str(i)]
            for block in self.dec:
                yield from block.layers()
            yield from (("norm", self.last_norm), ("last", self.last))

        def in_order(self):
            """Parameters, and what is fixed, as the field's checkpoints have them."""
            return ([self.freqs] if residual else []) + [p for _, layer in self.layers() for p in layer.parameters()]

        def add(self, block, joins):
            self.dec.append(block)
            self.joins.append(joins)

        def waves(self, noise):
            angle = noise[:, None] * self.freqs[None]
            return torch.cat([angle.cos(), angle.sin()] if adm else [angle.sin(), angle.cos()], dim=1)

        def weight_of(self, noise):
            return self.weight(self.waves(noise))[:, 0]

        def forward(self, x, noise, labels=None):
            emb = self.waves(noise)
            if self.label and not adm:
                emb = emb + self.label(labels * math.sqrt(labels.shape[1]))
            emb = self.map1(F.silu(self.map0(emb)))
            if self.label and adm:
                emb = emb + self.label(labels)
            emb = F.silu(emb)
            seen, x = x, self.first(x)
            kept = [x]
            for i, block in enumerate(self.enc):
                x = block(x, emb)
                if str(i) in self.aux:
                    x = seen = (x + filtered_down(self.aux[str(i)](seen), 0)) * math.sqrt(0.5)
                kept.append(x)
            for block, joins in zip(self.dec, self.joins):
                x = block(torch.cat([x, kept.pop()], dim=1) if joins else x, emb)
            return self.last(F.silu(self.last_norm(x)))

    net = Net(**{k: v for k, v in config.items() if k not in NOT_OF_SIZE})
    count = sum(p.numel() for p in net.parameters())
    if count != config.get("parameters", count):
        sys.exit("nets.py: %d parameters, not %d: this is another network" % (count, config["parameters"]))
    return net
