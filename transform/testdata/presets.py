#!/usr/bin/python3
"""Writes torchvision.json: the evaluation of torchvision's published ResNet and
ConvNeXt weights, the default of each model first.

Run with Debian's python3-torchvision:  ./presets.py
"""
import json

import torchvision
from torchvision.models import convnext, resnet

weights = []
for module in (resnet, convnext):
    for name in sorted(n for n in dir(module) if n.endswith("_Weights")):
        enum = getattr(module, name)
        for w in sorted(enum, key=lambda w: w != enum.DEFAULT):
            t = w.transforms()
            weights.append({
                "name": "%s.%s" % (name, w.name),
                "size": t.crop_size[0],
                "resize": t.resize_size[0],
                "interpolation": t.interpolation.value,
                "mean": t.mean,
                "std": t.std,
                "classes": len(w.meta["categories"]),
            })

with open("torchvision.json", "w") as f:
    f.write(json.dumps({"torchvision": torchvision.__version__, "weights": weights}).replace("}, {", "},\n{") + "\n")
