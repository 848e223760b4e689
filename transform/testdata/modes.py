#!/usr/bin/python3
"""Writes modes.json and modes.safetensors: pictures of many modes as four
evaluation pipelines see them, before normalising.

    clip    Resize and CenterCrop of torchvision on the picture in its own mode,
            then convert("RGB")                    (openai/CLIP, clip/clip.py)
    center  convert("RGB") first
    border  convert("RGB"), the longer side scaled, a frame of the mean
                                    (timm/data/transforms_factory.py, "border")
    down    convert("RGB"), Resize, and the crop of Hugging Face's processors
                                    (transformers/image_transforms.py)

Run with Debian's python3-pil, python3-numpy and python3-torchvision: ./modes.py
"""
import io
import json
import math
import struct
import sys
import warnings

sys.dont_write_bytecode = True
warnings.simplefilter("ignore")

import numpy as np
import PIL
import torchvision
from PIL import Image
from torchvision.transforms import CenterCrop, InterpolationMode, Resize

# gen.py writes its own files again on the way, the same ones
from gen import SEED, alpha, gray, la, palette, png16, rgb, rgba, save, scene, deep, shallow


def png(img, **kw):
    raw = io.BytesIO()
    img.save(raw, "PNG", **kw)
    return raw.getvalue()


def tall(img):
    return img.resize((9, 31), Image.Resampling.NEAREST)


def webp(img):
    raw = io.BytesIO()
    img.save(raw, "WEBP", quality=80)
    return raw.getvalue()


files = {
    "rgb": png(rgb),
    "rgb_trns": png(rgb, transparency=(250, 20, 30)),
    "rgba": png(rgba),
    "rgba_tall": png(tall(rgba)),
    "gray": png(gray),
    "gray_alpha": png(la),
    "palette": png(palette),
    "palette_trns": png(palette, transparency=bytes(range(0, 240, 10))),
    "1bit": png(gray.convert("1")),
    "gray16": png16(deep, 0),
    "gray16_dark": png16(shallow, 0),
    "rgba16": png16(np.concatenate([scene(29, 21).astype(np.uint16) * 256 + 200, deep[:, :, None]], -1), 6),
    "gray_alpha16": png16(np.stack([deep, deep[::-1]], -1), 4),
    "webp_alpha": webp(rgba),
}
sizes = [(8, 8), (9, 12), (13, 16), (16, 13), (24, 21)]  # size, resize


def crop_down(img, size):
    a = np.asarray(img)
    h, w = a.shape[:2]
    top, left = (h - size) // 2, (w - size) // 2
    nh, nw = max(size, h), max(size, w)
    tp, lp = math.ceil((nh - h) / 2), math.ceil((nw - w) / 2)
    big = np.zeros((nh, nw, 3), np.uint8)
    big[tp:tp + h, lp:lp + w] = a
    return big[top + tp:top + tp + size, left + lp:left + lp + size]


def crop_border(img, size, mean):
    fill = tuple(round(255 * v) for v in mean)
    w, h = img.size
    pad = Image.new("RGB", (max(w, size), max(h, size)), fill)
    pad.paste(img, (max(size - w, 0) // 2, max(size - h, 0) // 2))
    return CenterCrop(size)(pad)


def make(img, kind, size, resize, how, mean):
    mode = getattr(InterpolationMode, how.upper())
    if kind == "clip":
        return CenterCrop(size)(Resize(resize, mode)(img)).convert("RGB")
    img = img.convert("RGB")
    if kind == "center":
        return CenterCrop(size)(Resize(resize, mode)(img))
    if kind == "down":
        return crop_down(Resize(resize, mode)(img), size)
    w, h = img.size
    ratio = max(h / resize, w / resize)
    return crop_border(Resize((round(h / ratio), round(w / ratio)), mode)(img), size, mean)


tensors, cases, seen = {}, [], {}
for name, raw in files.items():
    tensors[name + ".file"] = np.frombuffer(raw, np.uint8)
for name, raw in files.items():
    for kind in ["clip", "center", "border", "down"]:
        if kind in ("border", "down") and name not in ("rgb", "rgba_tall"):
            continue
        for size, resize in sizes:
            for how in ["bicubic", "bilinear", "nearest"]:
                if how == "nearest" and size != 9 or how == "bilinear" and size > 9:
                    continue
                mean = [0.48145466, 0.4578275, 0.40821073] if size % 2 else [0.5, 0.5, 0.5]
                want = np.asarray(make(Image.open(io.BytesIO(raw)), kind, size, resize, how, mean))
                key = seen.setdefault((want.shape, want.tobytes()), "%s.%s.%d.%d.%s" % (name, kind, size, resize, how))
                tensors[key] = want
                cases.append({"file": name, "kind": kind, "size": size, "resize": resize, "interpolation": how, "mean": mean, "want": key})

versions = {"pillow": PIL.__version__, "numpy": np.__version__, "torchvision": torchvision.__version__}
with open("modes.json", "w") as f:
    f.write(json.dumps({"versions": versions, "seed": SEED, "cases": cases}).replace("}, {", "},\n{") + "\n")
save("modes.safetensors", tensors, {**versions, "seed": str(SEED), "script": "modes.py"})
