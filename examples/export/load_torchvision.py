"""Loads a file that `export -names torchvision` wrote into torchvision's own
module, strictly, and compares logits if a file with inputs and logits is given.

usage: load_torchvision.py WEIGHTS.safetensors [CHECK.safetensors]

CHECK has x [N,3,H,W] and y [N,K]. Prints the largest difference relative to the
largest logit and fails above 1e-5. Needs torch and torchvision.
"""
import json
import struct
import sys

import torch
import torchvision


def read(path):
    """A safetensors file as {name: tensor}, metadata."""
    dtypes = {"F32": torch.float32, "F64": torch.float64, "I64": torch.int64}
    with open(path, "rb") as f:
        (n,) = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(n))
        data = bytearray(f.read())
    meta = header.pop("__metadata__", {})
    tensors = {}
    for name, t in header.items():
        lo, hi = t["data_offsets"]
        flat = torch.frombuffer(data[lo:hi], dtype=dtypes[t["dtype"]]) if hi > lo else torch.empty(0)
        tensors[name] = flat.reshape(t["shape"])
    return tensors, meta


def build(meta):
    """The torchvision module that the metadata describe."""
    family, cfg = meta["winnow.architecture"], json.loads(meta["winnow.config"])
    if family == "convnext":
        from torchvision.models.convnext import CNBlockConfig, ConvNeXt

        dims = cfg["dims"]
        stages = [CNBlockConfig(d, n, depth) for d, n, depth in zip(dims, dims[1:] + [None], cfg["depths"])]
        return ConvNeXt(stages, num_classes=cfg["classes"])
    from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

    block = Bottleneck if cfg.get("block") == "bottleneck" else BasicBlock
    return ResNet(block, cfg["layers"], num_classes=cfg["classes"])


def main():
    torch.set_num_threads(1)
    tensors, meta = read(sys.argv[1])
    module = build(meta)
    module.load_state_dict(tensors, strict=True)
    module.eval()
    print("loaded %d tensors strictly into %s" % (len(tensors), type(module).__name__))
    if len(sys.argv) > 2:
        check, _ = read(sys.argv[2])
        with torch.no_grad():
            y = module(check["x"])
        difference = ((y - check["y"]).abs().max() / y.abs().max()).item()
        print("largest difference %.2g of the largest logit" % difference)
        if not difference <= 1e-5:
            sys.exit("logits differ")


main()
