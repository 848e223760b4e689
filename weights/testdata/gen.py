#!/usr/bin/env python3
"""Writes torch/: small files of torch.save and what torch.load finds in them.

NAME.pth is the file. NAME.safetensors has the tensors that a reader should
find, under the names and in the order in which it should list them, written by
the few lines below and not by any library; its metadata has the versions and
  unsupported  names, one a line, that should be listed and refused
  model        the name of one tensor as StateDict should call it
Files without a .safetensors should be refused; why is in the Go test.

Run it in this folder: python3 gen.py. The old format names storages by their
addresses, so those files differ from run to run in that.
"""
import argparse
import collections
import json
import os
import pickle
import struct
import sys
import zipfile

import numpy
import torch
from torch import nn

OUT = "torch"
TYPES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
    torch.uint8: "U8", torch.bool: "BOOL",
}


def raw(t):
    t = t.detach().contiguous().clone()
    if t.dtype == torch.bfloat16:
        t = t.view(torch.int16)
    return t.numpy().tobytes()


def write(name, tensors, **meta):
    """The expected tensors, as safetensors."""
    head, data = {"__metadata__": {"torch": torch.__version__, "python": sys.version.split()[0],
                                   "numpy": numpy.__version__, "seed": "13", **meta}}, b""
    for key, t in tensors.items():
        b = raw(t)
        head[key] = {"dtype": TYPES[t.dtype], "shape": list(t.shape), "data_offsets": [len(data), len(data) + len(b)]}
        data += b
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with open(f"{OUT}/{name}.safetensors", "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def save(name, obj, want=None, zipped=True, protocol=2, **meta):
    torch.save(obj, f"{OUT}/{name}.pth", _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
    write(name, obj if want is None else want, **meta)


def flat(prefix, d):
    return {prefix + k: v for k, v in d.items()}


class Odd(dict):
    """A class that no reader of data knows."""


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 1)
        self.net = nn.Sequential(nn.BatchNorm2d(3), nn.GELU(), nn.Linear(3, 2, bias=False))
        self.scale = nn.Parameter(torch.tensor(4.5))
        self.register_buffer("kept", torch.arange(3))
        self.register_buffer("fleeting", torch.arange(4), persistent=False)


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.ones(2))

    def forward(self, x):
        return x * self.w


def main():
    os.makedirs(OUT, exist_ok=True)
    g = torch.Generator().manual_seed(13)
    normal = lambda *shape: torch.randn(*shape, generator=g)

    types = collections.OrderedDict()
    for dtype, name in TYPES.items():
        if dtype == torch.bool:
            types[name] = normal(2, 3) > 0
        elif dtype.is_floating_point:
            types[name] = (normal(2, 3) * 100).to(dtype)
        else:
            types[name] = torch.randint(0, 256, (2, 3), generator=g).to(dtype)
    types["scalar"] = torch.tensor(4.6052)
    types["num_batches_tracked"] = torch.tensor(7)
    types["empty"] = torch.zeros(3, 0, 2)
    types["5d"] = normal(1, 2, 1, 2, 1)
    save("zip_types", types)
    save("legacy_types", types, zipped=False)
    for p in 3, 4, 5:
        save(f"zip_protocol{p}", types, protocol=p)
    save("legacy_protocol4", types, zipped=False, protocol=4)

    base = normal(6, 5)
    image = normal(2, 3, 4, 5)
    views = {
        "base": base, "tied": base, "transposed": base.T, "rows": base[2:4], "column": base[:, 3],
        "block": base[1:4, 2:4], "every_other": base[::2, ::3], "element": base[4, 4],
        "channels_last": image.contiguous(memory_format=torch.channels_last),
        "permuted": image.permute(3, 1, 0, 2), "permuted_part": image.permute(2, 0, 3, 1)[1:3, :, 1:, :],
        "half_transposed": normal(70, 3).half().T, "double_sparse": normal(3, 70).double()[:, 5].clone().as_strided((3,), (1,)),
        "far": normal(4, 100)[:, 7], "far_bool": (normal(4, 100) > 0)[:, 7], "far_half": normal(4, 100).half()[:, 9],
        "expanded_once": torch.arange(3).expand(1, 3), "one": normal(1, 1).T,
    }
    refused = {"expanded": torch.tensor([1.0, 2.0]).expand(3, 2), "overlapping": normal(10).as_strided((3, 3), (1, 1))}
    for kind in "zip", "legacy":
        save(f"{kind}_views", {**views, **refused}, views, zipped=kind == "zip", unsupported="\n".join(refused))

    torch.manual_seed(13)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2))
    opt = torch.optim.AdamW(model.parameters())
    model(normal(2, 1, 4, 4)).sum().backward()
    opt.step()
    average = torch.optim.swa_utils.AveragedModel(model)
    state, ema = model.state_dict(), average.state_dict()
    training = {
        "epoch": 3, "big": 1 << 70, "negative": -5, "lr": 1e-3, "none": None, "flags": (True, False),
        "model": state, "optimizer": opt.state_dict(), "model_ema": ema,
        "args": argparse.Namespace(lr=0.1, data="/imagenet", deep=argparse.Namespace(a=[1, 2])),
        "best": numpy.float64(0.5), "history": numpy.arange(4.0), "rng": torch.get_rng_state()[:16].clone(),
        "device": torch.device("cpu"), "dtype": torch.float16, "size": torch.Size([2, 3]), "set": {1, "two"},
        "odd": Odd(x=torch.ones(2)), "bytes": b"\x00\xff", "long_text": "x" * 300, ("tuple", "key"): torch.ones(1),
        "lists": [torch.tensor([1.0]), 5, (torch.tensor([2.0]), {"k": torch.tensor([3.0])})],
        "default": collections.defaultdict(list, {"a": torch.tensor([4.0])}),
    }
    want = flat("model.", state)
    for i, s in opt.state_dict()["state"].items():
        want.update(flat(f"optimizer.state.{i}.", s))
    want.update(flat("model_ema.", ema))
    want["rng"] = training["rng"]
    want["odd.x"] = training["odd"]["x"]
    want["lists.0"], want["lists.2.0"], want["lists.2.1.k"] = torch.tensor([1.0]), torch.tensor([2.0]), torch.tensor([3.0])
    want["default.a"] = torch.tensor([4.0])
    for kind in "zip", "legacy":
        save(f"{kind}_training", training, want, zipped=kind == "zip", model="0.weight")
    save("zip_training5", training, want, protocol=5, model="0.weight")

    save("zip_parallel", {"state_dict": flat("module.", state)}, flat("state_dict.module.", state), model="0.weight")
    save("zip_parameters", dict(nn.Linear(3, 2).named_parameters()), model="weight")
    save("zip_list", [torch.tensor([1.0, 2.0]), torch.tensor([3])], {"0": torch.tensor([1.0, 2.0]), "1": torch.tensor([3])})
    save("zip_tensor", torch.tensor([1.0, 2.0]), {"tensor": torch.tensor([1.0, 2.0])})
    save("zip_nothing", {}, {})

    attr = torch.arange(4.0)
    attr.tag = "it has attributes"
    save("zip_attributes", {"w": attr}, {"w": torch.arange(4.0)})
    dense = {"dense": torch.ones(2)}
    save("zip_refused", {"sparse": torch.eye(3).to_sparse(), **dense, "complex128": torch.ones(2, dtype=torch.complex128),
                         "quantized": torch.quantize_per_tensor(torch.ones(2), 0.5, 0, torch.qint8)},
         dense, unsupported="sparse\ncomplex128\nquantized")

    # An old file holds the source text of every class; it need not be torch's.
    torch.serialization.get_source_lines_and_file = lambda c: ([f"class {c.__name__}: ...\n"], 1, "net.py")
    net = Net()
    for kind in "zip", "legacy":
        save(f"{kind}_module", net, net.state_dict(), zipped=kind == "zip")
    save("zip_wrapped_module", {"epoch": 1, "model": nn.DataParallel(net)}, flat("model.module.", net.state_dict()), model="scale")

    # The same archive again, compressed.
    with zipfile.ZipFile(f"{OUT}/zip_views.pth") as a, zipfile.ZipFile(f"{OUT}/zip_deflated.pth", "w", zipfile.ZIP_DEFLATED) as b:
        for i in a.infolist():
            b.writestr(zipfile.ZipInfo(i.filename), a.read(i), zipfile.ZIP_DEFLATED)
    write("zip_deflated", views, unsupported="\n".join(refused))

    # Files to be refused.
    torch.jit.script(Scaled()).save(f"{OUT}/torchscript.pth")
    with open(f"{OUT}/plain_pickle.pth", "wb") as f:
        pickle.dump({"w": [1.0, 2.0]}, f, 4)
    with open(f"{OUT}/tensor_pickle.pth", "wb") as f:
        pickle.dump({"w": torch.ones(2)}, f, 2)
    torch.save({"epoch": 3, "name": "no tensors"}, f"{OUT}/no_tensors.pth")
    torch.save(argparse.Namespace(a=1), f"{OUT}/namespace.pth")
    torch.save({"w": torch.ones(2)}, f"{OUT}/protocol0.pth", _use_new_zipfile_serialization=False, pickle_protocol=0)
    numpy.savez(f"{OUT}/arrays.npz", w=numpy.ones(2))


if __name__ == "__main__":
    main()
