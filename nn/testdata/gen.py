#!/usr/bin/python3
"""Writes the goldens beside this file with PyTorch, on the processor.

    apt-get install python3-torch        # Debian 12: torch 1.13
    /usr/bin/python3 gen.py

Everything is computed in float64 on values that float32 holds, and once more
in float32 where the reference's own error matters (names ending in _f64 are
the float64 result, those without are float32). Runs are repeatable: one
thread, and every file has a seed of its own.
"""
import json
import os
import platform
import struct

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)

KINDS = {torch.float32: "F32", torch.float64: "F64", torch.int64: "I64"}


def save(name, tensors, config, seed):
    """Writes NAME.safetensors and NAME.json; both say where they come from."""
    origin = {"seed": seed, "torch": torch.__version__, "source": "nn/testdata/gen.py",
              "versions": {"python": platform.python_version(), "numpy": np.__version__}}
    header, at, parts = {"__metadata__": {k: json.dumps(v) if isinstance(v, dict) else str(v) for k, v in origin.items()}}, 0, []
    for key in sorted(tensors):
        t = tensors[key].detach().contiguous()
        raw = t.numpy().tobytes()
        header[key] = {"dtype": KINDS[t.dtype], "shape": list(t.shape), "data_offsets": [at, at + len(raw)]}
        parts.append(raw)
        at += len(raw)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(HERE, name + ".safetensors"), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(parts))
    with open(os.path.join(HERE, name + ".json"), "w") as f:
        json.dump({**origin, **config}, f, indent=1)
        f.write("\n")


def normal(*shape):
    """Draws that float32 holds exactly, as float64."""
    return torch.randn(*shape, dtype=torch.float32).double()


# Operations: forward, and backward from a random gradient of the result.


def operations(seed=1):
    torch.manual_seed(seed)
    out, listed = {}, []

    def put(name, op, values, **keys):
        listed.append({"name": name, "op": op, **{k: str(v) for k, v in keys.items()}})
        for k, v in values.items():
            out[name + "." + k] = v.detach().float()

    def run(f, leaves):
        """Values and gradients of y = f(), by x and whatever else is a leaf."""
        y = f()
        gy = normal(*y.shape)
        grads = torch.autograd.grad(y, list(leaves.values()), gy)
        return y, gy, dict(zip(leaves, grads))

    def conv(name, x, w, bias, **keys):
        leaves = {"x": normal(*x).requires_grad_(), "w": normal(*w).requires_grad_()}
        if bias:
            leaves["b"] = normal(w[0]).requires_grad_()
        y, gy, g = run(lambda: F.conv2d(leaves["x"], leaves["w"], leaves.get("b"), **keys), leaves)
        put(name, "conv2d", {**leaves, "y": y, "gy": gy, **{"g" + k: v for k, v in g.items()}}, **keys)

    conv("conv3x3", (2, 3, 6, 5), (7, 3, 3, 3), True, padding=1)
    conv("conv_3x2_s2", (1, 4, 7, 6), (6, 4, 3, 2), False, stride=2, padding=1)
    conv("conv1x1", (2, 17, 3, 3), (5, 17, 1, 1), True)
    conv("conv_groups", (1, 8, 5, 5), (12, 2, 3, 3), False, padding=1, groups=4)
    conv("conv_dilated", (1, 3, 7, 8), (4, 3, 3, 3), False, padding=2, dilation=2)
    conv("conv_dw3_s2", (2, 9, 7, 6), (9, 1, 3, 3), True, stride=2, padding=1, groups=9)
    conv("conv_dw7", (1, 3, 8, 9), (3, 1, 7, 7), True, padding=3, groups=3)
    conv("conv_two_filters_a_channel", (1, 4, 5, 5), (8, 1, 3, 3), False, padding=1, groups=4)
    conv("conv_gaps", (1, 2, 8, 8), (3, 2, 2, 2), False, stride=3)

    def plain(name, op, x, f):
        leaves = {"x": normal(*x).requires_grad_()}
        y, gy, g = run(lambda: f(leaves["x"]), leaves)
        put(name, op, {"x": leaves["x"], "y": y, "gy": gy, "gx": g["x"]})

    plain("relu", "relu", (3, 11), F.relu)
    plain("gelu", "gelu exact erf", (3, 11), F.gelu)
    plain("gelu_tanh", "gelu tanh", (3, 11), lambda x: F.gelu(x, approximate="tanh"))
    plain("quickgelu", "quickgelu", (3, 11), lambda x: x * torch.sigmoid(1.702 * x))
    plain("silu", "silu", (3, 11), F.silu)
    plain("sigmoid", "sigmoid", (3, 11), torch.sigmoid)
    plain("maxpool", "max_pool2d k3 s2 p1", (2, 3, 7, 6), lambda x: F.max_pool2d(x, 3, 2, 1))
    plain("avgpool", "avg_pool2d k2 (floor)", (2, 3, 5, 6), lambda x: F.avg_pool2d(x, 2))
    plain("avgpool_padded", "avg_pool2d k3 s2 p1", (1, 3, 5, 6), lambda x: F.avg_pool2d(x, 3, 2, 1))
    plain("globalpool", "adaptive_avg_pool2d 1x1", (2, 5, 3, 4), lambda x: F.adaptive_avg_pool2d(x, 1))
    plain("softmax", "softmax dim -1", (3, 7), lambda x: F.softmax(x, -1))
    plain("l2norm", "x/||x||", (3, 7), lambda x: F.normalize(x, dim=-1))

    def layer(name, op, x, w, f):
        leaves = {"x": normal(*x).requires_grad_(), "w": normal(*w).requires_grad_(), "b": normal(w[0]).requires_grad_()}
        y, gy, g = run(lambda: f(leaves["x"], leaves["w"], leaves["b"]), leaves)
        put(name, op, {**leaves, "y": y, "gy": gy, **{"g" + k: v for k, v in g.items()}})

    layer("linear", "linear", (5, 7), (3, 7), F.linear)
    layer("layernorm", "layer_norm eps1e-6", (5, 9), (9,), lambda x, w, b: F.layer_norm(x, (9,), w, b, 1e-6))

    bn = nn.BatchNorm2d(4, eps=1e-3, momentum=0.3).double()
    with torch.no_grad():
        bn.weight.copy_(normal(4))
        bn.bias.copy_(normal(4))
        bn.running_mean.copy_(normal(4))
        bn.running_var.copy_(normal(4) ** 2 + 0.5)
        bn.running_var.copy_(bn.running_var.float().double())
    before = {"running_mean0": bn.running_mean.clone(), "running_var0": bn.running_var.clone()}
    leaves = {"x": (normal(3, 4, 3, 2) * 2 + 5).float().double().requires_grad_(), "w": bn.weight, "b": bn.bias}
    y, gy, g = run(lambda: bn(leaves["x"]), leaves)
    after = {"running_mean1": bn.running_mean.clone(), "running_var1": bn.running_var.clone(), "y_eval_after": bn.eval()(leaves["x"])}
    put("batchnorm", "BatchNorm2d train mode eps1e-3 momentum0.3",
        {**before, **leaves, "y": y, "gy": gy, **{"g" + k: v for k, v in g.items()}, **after})

    for name, causal in (("attention", False), ("attention_causal", True)):
        e, heads, t = 12, 3, 5
        mha = nn.MultiheadAttention(e, heads, batch_first=True).double()
        with torch.no_grad():
            for p in mha.parameters():
                p.copy_(normal(*p.shape) / 2)
        mask = torch.full((t, t), float("-inf"), dtype=torch.float64).triu(1) if causal else None
        leaves = {"x": normal(2, t, e).requires_grad_(), "in_w": mha.in_proj_weight, "in_b": mha.in_proj_bias,
                  "out_w": mha.out_proj.weight, "out_b": mha.out_proj.bias}
        y, gy, g = run(lambda: mha(leaves["x"], leaves["x"], leaves["x"], need_weights=False, attn_mask=mask)[0], leaves)
        put(name, f"MultiheadAttention E={e} heads={heads}" + (" causal mask" if causal else ""),
            {**leaves, "y": y, "gy": gy, "gx": g.pop("x"), **{"g_" + k: v for k, v in g.items()}})
    save("ops", out, {"ops": listed}, seed)


# Losses: the configuration is in the name, gradients are by the logits.


def losses(seed=2, n=6, k=5):
    torch.manual_seed(seed)
    logits, labels = normal(n, k) * 3, torch.tensor([0, 4, 2, 2, 1, 3])
    logits = logits.float().double()
    ignored = labels.clone()
    ignored[[1, 4]] = -100
    weight = (torch.rand(k) + 0.5).double()
    soft = torch.softmax(normal(n, k), -1).float().double()
    out = {"logits": logits.float(), "labels": labels, "labels_with_ignore": ignored,
           "class_weights": weight.float(), "soft_targets": soft.float()}
    for kind, target in (("ce", labels), ("ce_ignore", ignored), ("soft_ce", soft)):
        for weighted in (False, True):
            for smoothing in (0.0, 0.2):
                for reduction in ("mean", "sum", "none"):
                    name = kind.replace("ce", "ce_w", 1) if weighted else kind
                    name += f"_ls{smoothing}_{reduction}"
                    for suffix, to in (("", torch.float32), ("_f64", torch.float64)):
                        x = logits.to(to, copy=True).requires_grad_()
                        y = target if target is not soft else soft.to(to)
                        loss = F.cross_entropy(x, y, weight.to(to) if weighted else None, label_smoothing=smoothing, reduction=reduction)
                        loss.sum().backward()
                        out[name + suffix], out["grad." + name + suffix] = loss.detach().reshape(-1), x.grad
    save("losses", out, {"N": n, "K": k}, seed)


# Networks: this package's parameter names (timm's), ten steps of training.


class Basic(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(i, o, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(o)
        self.conv2 = nn.Conv2d(o, o, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(o)
        if stride > 1 or i != o:
            self.downsample = nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o))

    def forward(self, x, relu):
        y = self.bn2(self.conv2(relu(self.bn1(self.conv1(x)))))
        return relu(y + (self.downsample(x) if hasattr(self, "downsample") else x))


class ResNet(nn.Module):
    def __init__(self, widths, classes):
        super().__init__()
        self.closest = float("inf")
        self.conv1 = nn.Conv2d(3, widths[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        i = widths[0]
        for s, o in enumerate(widths):
            setattr(self, f"layer{s + 1}", nn.ModuleList([Basic(i, o, 1 if s == 0 else 2)]))
            i = o
        self.stages = len(widths)
        self.fc = nn.Linear(i, classes)

    def relu(self, x):
        self.closest = min(self.closest, x.abs().min().item())  # to a tie
        return F.relu(x)

    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        for s in range(self.stages):
            for block in getattr(self, f"layer{s + 1}"):
                x = block(x, self.relu)
        return self.fc(x.mean((2, 3)))


class LayerNorm2d(nn.LayerNorm):
    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Block(nn.Module):
    def __init__(self, c, kernel, scale):
        super().__init__()
        self.gamma = nn.Parameter(torch.full((c,), scale))
        self.conv_dw = nn.Conv2d(c, c, kernel, padding=kernel // 2, groups=c)
        self.norm = nn.LayerNorm(c, 1e-6)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(c, 4 * c), "fc2": nn.Linear(4 * c, c)})

    def forward(self, x):
        y = self.norm(self.conv_dw(x).permute(0, 2, 3, 1))
        y = self.mlp["fc2"](F.gelu(self.mlp["fc1"](y))) * self.gamma
        return x + y.permute(0, 3, 1, 2)


class ConvNeXt(nn.Module):
    def __init__(self, depths, dims, stem, kernel, scale, classes):
        super().__init__()
        self.closest = float("inf")
        self.stem = nn.Sequential(nn.Conv2d(3, dims[0], stem, stem), LayerNorm2d(dims[0], 1e-6))
        stages = []
        for i, (depth, c) in enumerate(zip(depths, dims)):
            down = nn.Sequential(LayerNorm2d(dims[i - 1], 1e-6), nn.Conv2d(dims[i - 1], c, 2, 2)) if i else nn.Identity()
            stages.append(nn.ModuleDict({"downsample": down, "blocks": nn.Sequential(*[Block(c, kernel, scale) for _ in range(depth)])}))
        self.stages = nn.ModuleList(stages)
        self.head = nn.ModuleDict({"norm": nn.LayerNorm(dims[-1], 1e-6), "fc": nn.Linear(dims[-1], classes)})

    def forward(self, x):
        x = self.stem(x)
        for stage in self.stages:
            x = stage["blocks"](stage["downsample"](x))
        return self.head["fc"](self.head["norm"](x.mean((2, 3))))


def training(name, make, config, rate, seed, steps=10, smoothing=0.1, batch=4, size=10, classes=5):
    """Ten steps of plain gradient descent on one batch: every loss, and every
    gradient of the first step by name. Draws anew until no input of a ReLU
    comes nearer to 0 than float32 can tell apart."""
    while True:
        torch.manual_seed(seed)
        first = make(classes)
        for p in first.parameters():
            if p.dim() == 1:
                p.data += 0.2 * torch.randn_like(p)
        start = {k: v.clone() for k, v in first.state_dict().items()}
        x, labels = torch.randn(batch, 3, size, size), torch.randint(0, classes, (batch,))
        out = {"input": x, "labels": labels, **{"init." + k: v for k, v in start.items()}}
        closest = float("inf")
        for suffix, to in (("", torch.float32), ("_f64", torch.float64)):
            m = make(classes)
            m.load_state_dict(start)
            m.to(to)
            out["before" + suffix] = m.eval()(x.to(to)).detach()
            m.train()
            values = []
            for step in range(1, steps + 1):
                m.zero_grad()
                logits = m(x.to(to))
                loss = F.cross_entropy(logits, labels, label_smoothing=smoothing)
                loss.backward()
                values.append(loss.item())
                for k, p in m.named_parameters():
                    if step == 1:
                        out[f"grad.{k}{suffix}"] = p.grad.clone()
                    p.data -= rate * p.grad
                if step == 1:
                    out["logits" + suffix] = logits.detach()
            out["losses" + suffix] = torch.tensor(values, dtype=to)
            for k, v in m.state_dict().items():
                if v.dim() == 0 or "running" in k:
                    out["after." + k + (suffix if v.dim() else "")] = v.clone()
            closest = min(closest, m.closest)
            out["trained" + suffix] = m.eval()(x.to(to)).detach()
        if closest > 2e-5:
            break
        seed += 1
    save(name, out, {**config, "classes": classes, "rate": rate, "steps": steps, "label_smoothing": smoothing,
                     "closest_to_tie": closest if closest < float("inf") else None}, seed)


operations()
losses()
training("train_resnet", lambda k: ResNet([4, 8], k),
         {"resnet": {"layers": [1, 1], "widths": [4, 8], "stem": "3x3s1"}}, rate=0.1, seed=100)
training("train_convnext", lambda k: ConvNeXt([1, 1], [4, 8], 2, 3, 0.5, k),
         {"convnext": {"depths": [1, 1], "dims": [4, 8], "stem": 2, "kernel": 3}}, rate=0.1, seed=200)
