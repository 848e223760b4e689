#!/usr/bin/env python3
"""Writes tokenizer_reference.json: text cleaned and cut by what OpenAI's
simple_tokenizer.py is built on, Python's str and html, unicodedata, and the
module regex (apt install python3-regex).

    python3 testdata/tokenizer_gen.py > testdata/tokenizer_reference.json

Strings are drawn from what is likely to go wrong. Characters are those that
Python's edition of Unicode has assigned, which Go's has too.
"""
import html, html.entities, json, random, sys, unicodedata
import regex

SEED = 14
random.seed(SEED)
PIECES = regex.compile(
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
    regex.IGNORECASE)
ASSIGNED = [c for c in range(0x110000)
            if not 0xD800 <= c < 0xE000 and unicodedata.category(chr(c)) not in ("Cn", "Co")]
MARKS = [c for c in ASSIGNED if unicodedata.combining(chr(c))]
COMPOSED = [c for c in ASSIGNED
            if unicodedata.decomposition(chr(c)) and not unicodedata.decomposition(chr(c)).startswith("<")]
NAMES = sorted(html.entities.html5)


def string(draw, least, most):
    return "".join(draw() for _ in range(random.randint(least, most)))


def draw_html():
    return random.choice([
        lambda: random.choice(["&", "&#", "&#x", "&#X", ";", "0", "9", "128", "13", "0d", "8364", "d800", "110000",
                               "ffff", "9" * 30, "amp", "amp;", "lt", "gt;", "notit;", "é", " ", "<", "\n", "Z"]),
        lambda: "&" + random.choice(NAMES),
    ])()


def draw_lower():
    return random.choice([
        lambda: "Σ",
        lambda: random.choice("aAΣΣİIıςǅʰⓐ'.:·\u0301\u200d\u02bc 1"),
        lambda: chr(random.choice(ASSIGNED)),
    ])()


def draw_nfc():
    return random.choice([
        lambda: chr(random.choice(MARKS)),
        lambda: chr(random.choice(MARKS)),
        lambda: chr(random.choice(COMPOSED)),
        lambda: random.choice(["가", "A", "e", "か", "\u3099", "\u0345", "\u0308", "\u0301", "α", "ॻ", "\u093c"]),
        lambda: chr(0x1100 + random.randint(0, 18)),
        lambda: chr(0x1161 + random.randint(0, 20)) + chr(0x11A8 + random.randint(0, 26)),
    ])()


def draw_text():
    return random.choice([
        lambda: chr(random.choice(ASSIGNED)),
        lambda: random.choice(["'s", "'S", "'ſ", "'LL", "'ve", "'", "<|startoftext|>", "<|ENDOFTEXT|>", "<|endofteXt|>",
                               "<|ſtartoftext|>", "<|", "|>", "</w>", "\u0345", "a\u0345", "½", "Ⅷ", "²"]),
        lambda: random.choice(["a", "B", "word", "ß", "ĳ", "9", "42", "_", "!!", ".", "é", "中文", "한글", "😀", "\ufe0f"]),
        lambda: random.choice([" ", "  ", "\t", "\n", "\u00a0", "\u0085", "\u3000", "\u2028", "\u180e", "\u200b", "\x1c", "\x1f", "\x00"]),
        lambda: random.choice(["&amp;", "&lt", "&amp;lt;", "&nbsp;", "&#32;", "&#x3a3;", "&nGt;"]),
    ])()


def clean(text):
    text = html.unescape(html.unescape(text)).strip()
    return regex.sub(r"\s+", " ", text).strip().lower()


cases = []
for _ in range(250):
    text = string(draw_html, 1, 7)
    cases.append({"kind": "unescape", "text": text, "want": html.unescape(text)})
for _ in range(250):
    text = string(draw_lower, 1, 9)
    cases.append({"kind": "lower", "text": text, "want": text.lower()})
for i in range(200):
    text = string(draw_nfc, 1, 10) if i % 8 else string(draw_nfc, 30, 60)
    cases.append({"kind": "nfc", "text": text, "want": unicodedata.normalize("NFC", text)})
for _ in range(400):
    text = string(draw_text, 0, 12)
    want = clean(text)
    cases.append({"kind": "clean", "text": text, "want": want, "pieces": PIECES.findall(want)})

json.dump({
    "source": "testdata/tokenizer_gen.py", "seed": SEED,
    "versions": {"python": sys.version.split()[0], "unicode": unicodedata.unidata_version, "regex": regex.__version__},
    "cases": cases,
}, sys.stdout, indent=None, separators=(",", ":"))
sys.stdout.write("\n")
