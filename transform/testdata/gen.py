#!/usr/bin/python3
"""Writes pictures.json and pictures.safetensors: encoded pictures of many kinds
and what Pillow makes of them; resize.json and resize.safetensors: pictures
resized to many sizes.

Run with Debian's python3-pil and python3-numpy:  ./gen.py
"""
import io
import json
import struct

import numpy as np
import PIL
from PIL import Image, ImageOps, features

SEED = 20260901


def save(path, tensors, metadata):
    names = {"uint8": "U8"}
    head, at = {"__metadata__": metadata}, 0
    for name, a in tensors.items():
        head[name] = {"dtype": names[str(a.dtype)], "shape": list(a.shape), "data_offsets": [at, at + a.nbytes]}
        at += a.nbytes
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for a in tensors.values():
            f.write(np.ascontiguousarray(a).tobytes())


def scene(w, h):
    """Smooth colours, hard edges and a little noise."""
    r = np.random.default_rng(SEED + 1000 * w + h)
    y, x = np.mgrid[0:h, 0:w]
    a = np.stack([255 * x / max(w - 1, 1), 255 * y / max(h - 1, 1), 127 + 120 * np.sin(x / 3.0 + y / 5.0)], -1)
    a[h // 4:h // 2, w // 3:w - w // 4] = [250, 20, 30]
    a[h // 2:, :w // 4] = [10, 40, 240]
    return (a + r.integers(-6, 7, a.shape)).clip(0, 255).astype(np.uint8)


rgb = Image.fromarray(scene(29, 21))
gray = rgb.convert("L")
alpha = Image.fromarray((scene(29, 21)[:, :, 2]))
rgba = rgb.copy()
rgba.putalpha(alpha)
la = gray.copy()
la.putalpha(alpha)
palette = rgb.quantize(24)
deep = (scene(29, 21)[:, :, 0].astype(np.uint16) << 8) + 77
shallow = scene(29, 21)[:, :, 0].astype(np.uint16) * 2


def exif(o):
    e = Image.Exif()
    e[0x0112] = o
    return e.tobytes()


def partial_gif(transparent):
    """A GIF whose first frame is smaller than the canvas, written by hand."""
    frame = rgb.resize((9, 7)).quantize(16)
    raw = io.BytesIO()
    frame.save(raw, "GIF", **({"transparency": 3} if transparent else {}))
    b = bytearray(raw.getvalue())
    b[6:10] = struct.pack("<HH", 20, 15)
    at = 13 + 3 * (2 << (b[10] & 7))
    while b[at] == 0x21:
        at += 2
        while b[at]:
            at += 1 + b[at]
        at += 1
    assert b[at] == 0x2C
    b[at + 1:at + 5] = struct.pack("<HH", 4, 5)
    return bytes(b)


def png16(a, colour):
    """A 16-bit PNG, which Pillow does not write in colour."""
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    h, w = a.shape[:2]
    rows = b"".join(b"\0" + a[y].astype(">u2").tobytes() for y in range(h))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 16, colour, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


pictures = {}


def add(name, img, form, **kw):
    raw = io.BytesIO()
    img.save(raw, form, **kw)
    pictures[name] = raw.getvalue()


for name, sub in [("444", 0), ("422", 1), ("420", 2)]:
    add("jpeg_" + name, rgb, "JPEG", quality=85, subsampling=sub)
add("jpeg_odd_420", Image.fromarray(scene(17, 18)), "JPEG", quality=90, subsampling=2)
add("jpeg_tiny_420", Image.fromarray(scene(3, 2)), "JPEG", quality=90, subsampling=2)
add("jpeg_progressive", rgb, "JPEG", quality=85, progressive=True)
add("jpeg_gray", gray, "JPEG", quality=85)
add("jpeg_cmyk", rgb.convert("CMYK"), "JPEG", quality=95)
for o in range(1, 9):
    add("jpeg_exif%d" % o, rgb, "JPEG", quality=85, subsampling=0, exif=exif(o))
add("png_rgb", rgb, "PNG")
add("png_rgb_exif6", rgb, "PNG", exif=exif(6))
add("png_rgb_trns", rgb, "PNG", transparency=(250, 20, 30))
add("png_rgba", rgba, "PNG")
add("png_gray", gray, "PNG")
add("png_gray_alpha", la, "PNG")
add("png_palette", palette, "PNG")
add("png_palette_trns", palette, "PNG", transparency=bytes(range(0, 240, 10)))
add("png_1bit", gray.convert("1"), "PNG")
pictures["png_gray16"] = png16(deep, 0)
pictures["png_gray16_dark"] = png16(shallow, 0)
pictures["png_rgb16"] = png16(scene(29, 21).astype(np.uint16) * 256 + 200, 2)
pictures["png_gray_alpha16"] = png16(np.stack([deep, deep[::-1]], -1), 4)
pictures["png_rgba16"] = png16(np.concatenate([scene(29, 21).astype(np.uint16) * 256 + 200, deep[:, :, None]], -1), 6)
add("gif", palette, "GIF")
add("gif_transparent", palette, "GIF", transparency=5)
pictures["gif_partial"] = partial_gif(False)
pictures["gif_partial_transparent"] = partial_gif(True)
add("gif_animated", palette, "GIF", save_all=True, append_images=[palette.rotate(180)])
add("bmp_rgb", rgb, "BMP")
add("bmp_gray", gray, "BMP")
add("bmp_palette", palette, "BMP")
add("tiff_rgb", rgb, "TIFF")
add("tiff_lzw", rgb, "TIFF", compression="tiff_lzw")
add("tiff_deflate", rgb, "TIFF", compression="tiff_adobe_deflate")
add("tiff_gray", gray, "TIFF")
add("tiff_palette", palette, "TIFF")
add("tiff_rgba", rgba, "TIFF")
add("tiff_gray16", Image.fromarray(shallow), "TIFF")
add("tiff_exif8", rgb, "TIFF", tiffinfo={0x0112: 8})
add("webp_lossy", rgb, "WEBP", quality=80)
add("webp_lossy_even", Image.fromarray(scene(22, 18)), "WEBP", quality=60)
add("webp_lossy_1px", Image.fromarray(scene(1, 1)), "WEBP", quality=60)
add("webp_lossy_alpha", rgba, "WEBP", quality=80)
add("webp_lossless", rgb, "WEBP", lossless=True)
add("webp_lossless_alpha", rgba, "WEBP", lossless=True, exact=True)
add("webp_exif3", rgb, "WEBP", lossless=True, exif=exif(3))

versions = {"pillow": PIL.__version__, "numpy": np.__version__, "jpeg": features.version("jpg"), "webp": features.version("webp")}


def write(name, tensors, key, entries):
    with open(name + ".json", "w") as f:
        f.write(json.dumps({"versions": versions, "seed": SEED, key: entries}).replace("}, {", "},\n{") + "\n")
    save(name + ".safetensors", tensors, {**versions, "seed": str(SEED), "script": "gen.py"})


tensors, files, seen = {}, [], {}
for name, raw in pictures.items():
    img = Image.open(io.BytesIO(raw))
    # "turned": Pillow turns a TIFF upright by itself.
    keys = {}
    for key, made in [("want", img), ("upright", img if img.format == "TIFF" else ImageOps.exif_transpose(img))]:
        want = np.asarray(made.convert("RGB"))
        keys[key] = seen.setdefault((want.shape, want.tobytes()), "%s.%s" % (name, key))
        tensors[keys[key]] = want
    tensors[name + ".file"] = np.frombuffer(raw, np.uint8)
    files.append({"name": name, "format": img.format, "turned": img.format == "TIFF", **keys})
write("pictures", tensors, "pictures", files)

tensors, entries = {}, []
everything = ["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
for w, h, sizes, filters in [
    (29, 21, [(29, 21), (7, 5), (1, 1), (29, 5), (13, 21), (33, 34), (30, 3)], everything),
    (64, 3, [(5, 5), (9, 1), (65, 2)], ["nearest", "bilinear", "bicubic", "lanczos"]),
    (1, 40, [(1, 7), (3, 3), (2, 41)], ["nearest", "bilinear", "bicubic", "lanczos"]),
]:
    src = scene(w, h)
    tensors["source_%dx%d" % (w, h)] = src
    for ow, oh in sizes:
        for name in filters:
            out = "%dx%d_%dx%d_%s" % (w, h, ow, oh, name)
            tensors[out] = np.asarray(Image.fromarray(src).resize((ow, oh), getattr(Image.Resampling, name.upper())))
            entries.append({"source": "source_%dx%d" % (w, h), "w": ow, "h": oh, "interpolation": name, "want": out})
write("resize", tensors, "resizes", entries)
