"""Strings on which tokenizers are known to disagree: what every fast engine must get right before it is trusted.

Written by us for the rules that engines re-implement: Unicode classes and case folding in the split pattern, contractions,
digit groups, runs of white space and line ends, long runs, characters outside the BMP, and text that looks like a special token.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from dolmino_cli.tokenizer.identity import AddedToken

# White space of every kind that Unicode or Python or a regex engine counts, and some that only look like it.
_SPACES = "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u180e\u2000\u2003\u200a\u200b\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"

_LINES = (
    "", " ", "a", "Hello, world!", " leading", "trailing ", "  two  spaces  ", "tab\tand\ttab",
    "\t\tindent\n\t\tmore\n", "I'm you're he's we'd they'll I've can't", "I'M YOU'RE HE'S WE'D THEY'LL I'VE CAN'T",
    "'s't'm'd're've'll", "''s 's' 'S 'ſ 'ſt", "don’t ‘quote’ “double”", "'things 'tis 'twas o'clock rock'n'roll",
    "it'S iT's 'LL 'lL 'Ve", "K kelvin K and ſ long s İ ı", "1 12 123 1234 12345 123456789 0000000000",
    "3.14159 1,000,000 1e-5 0xDEADBEEF 50% $9.99", "١٢٣ १२३ ೧೨೩ Ⅷ ½ ²³ ①② ㊿", "a1b2c3 abc123def456",
    "x²+y²=z² ∑∫√∞≠≤ ∀x∃y", "line\nline\r\nline\rline\n\nline\r\n\r\nline", "\n", "\r\n", "\r\r\r", " \n",
    "\n ", " \n \n ", "a \n b", "a\n \n b", "a  \n\n  b", "\n \n\t\n", "x\n\n\n\n\n\n\n\ny", "\n\n\n    four",
    "end   ", "end\n\n   ", "\t@a", "\t\n@", " @", "@ ", "!\n!", "!!\r\n\r\n??", "...\n\n...",
    "?!?!?! ¿¡ --- ___ ***", "#include <stdio.h>\n", "a.b,c;d:e",
    "def f(x):\n    return x ** 2  # square\n\n\nclass A:\n\tpass\n", "if (a&&b||!c) { x[i]++; }",
    "SELECT * FROM t WHERE a <> 'b';", "<html><body class=\"x\">&nbsp;</body></html>",
    "\\begin{align} \\frac{a}{b} &= c \\\\ \\end{align}", "$$x_{i}^{2}$$ \\(y\\)", "http://example.com/a?b=c&d=%20#e",
    "user@example.com", "C:\\path\\to\\file.txt", "{\"k\": [1, null, true]}", "`code` ```block```",
    "日本語のテキストです。", "中文文本，没有空格。", "한국어 텍스트입니다", "日本語 mixed with English と 数字123",
    "ｆｕｌｌｗｉｄｔｈ　ＡＢＣ　１２３", "ﾊﾝｶｸ ｶﾅ", "مرحبا بالعالم", "שלום עולם", "\u202eright to left\u202c",
    "עִבְרִית מְנֻקֶּדֶת", "हिन्दी में लिखा", "ไทยไม่มีเว้นวรรค", "தமிழ் മലയാളം తెలుగు", "Привет, мир! Ёлка ё",
    "Ελληνικά ΑΒΓ άέή", "ქართული ᲥᲐᲠᲗᲣᲚᲘ", "Հայերեն", "ភាសាខ្មែរ", "བོད་ཡིག", "አማርኛ", "ᚠᚢᚦᚨᚱᚲ",
    "café cafe\u0301 naïve nai\u0308ve", "Å A\u030a \u212b", "e\u0301\u0301\u0301 \u0301alone",
    "Z\u0351\u0343\u034ba\u0336l\u0321g\u0322o\u0327", "ﬁ ﬂ ﬀ ligatures ß ẞ ŉ", "ǅ ǆ Ǆ titlecase",
    "가 각 \u1100\u1161 \u1100\u1161\u11a8", "👍", "👍🏽", "👨‍👩‍👧‍👦", "🇯🇵🇺🇸🇩🇪", "❤️ ❤ ☺︎", "a👍b 👍 c",
    "1️⃣2️⃣", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "😀😀😀😀😀😀😀😀", "𝕳𝖊𝖑𝖑𝖔 𝟙𝟚𝟛", "𐍈𐌰𐌹 𓀀𓁀", "\U0010ffff\U000f0000",
    "\ue000\uf8ff private", "\ufdd0\ufffe\uffff", "\x00", "a\x00b", "\x00\x00\x00", "\x01\x02\x03\x7f\x80\x9f",
    "\ufffd\ufffd", "\ufeffBOM", "soft\u00adhyphen", "zero\u200bwidth\u200cnon\u200djoin", "<|endoftext|>",
    "a<|endoftext|>b", "<|im_start|>user\nhi<|im_end|>", "<|endoftext|", "|endoftext|>", "<<|endoftext|>>",
    "<s></s><unk><pad>", "<0x0A>", "<0xFF> <0x00>", "[CLS] [SEP] [MASK] [UNK] [PAD]", "<|>", "<||>", "|||",
    "|||EMAIL_ADDRESS|||", "<eos><bos>", "\u2581", "\u2581a \u2581\u2581", "Ġ Ċ ĉ Ġhello", "##ing ##", "a" * 300,
    "A" * 77, "é" * 99, "日" * 120, "0" * 200, "-" * 150, "=" * 81, "!" * 64, "." * 200, " " * 300, "\n" * 130,
    "\t" * 90, "\r\n" * 60, " \n" * 70, "\n " * 70, "ab" * 150, "a " * 120, " a" * 120, "\x00" * 64, "👍" * 40,
    "\u0301" * 50, "xyzzy" * 40 + "\n" + " " * 40 + "}", "a" + " " * 50 + "b" + "\n" * 20 + "c", "aaaaaaaaaab" * 30,
    "the " * 60, "ACGT" * 70, "a\u0301" * 60,
    "The quick brown fox jumps over the lazy dog. 12 foxes, 34.5 dogs!\nSecond line -- with dashes; (and brackets) [too] {yes}.",
    "supercalifragilisticexpialidocious pneumonoultramicroscopicsilicovolcanoconiosis",
    "ThisIsCamelCase and_snake_case and-kebab-case SCREAMING_CASE",
)  # fmt: skip


# Each kind of text that split patterns tell apart: what stands beside what decides, so every three of them in a row.
_KINDS = (
    " ", "\t", "\n", "\r\n", "a", "AB", "é", "\u0301", "日本", "1", "1234", "٣", ".", "-/", "'s", "👍", "\xa0",
)  # fmt: skip


def strings(added: Iterable[AddedToken]) -> Iterator[str]:
    """The set, with each kind of white space in each place, and the tokenizer's own added tokens (the first 64) inside text."""
    yield from _LINES
    yield from map("".join, itertools.product(_KINDS, repeat=3))
    for space in _SPACES:
        yield from (f"{space}a{space}{space}b{space}", f"a{space}\n{space}'s 1{space}2", f"{space}{space}{space}!{space}\n")
    for token in list(added)[:64]:
        text = token.content
        yield from (text, f"a{text}b", f" {text} {text}\n", f"{text}{text}1", text[:-1] + " " + text[1:], f"<{text}>'s")
