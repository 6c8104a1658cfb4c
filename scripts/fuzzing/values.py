"""Numbers, characters, names and values that often break readers; `mutations` puts them into files."""

from __future__ import annotations

from typing import Any

RAW = "\x01raw:"  # prefix of a string that is written to JSON without quotes
TWICE = "\x01twice"  # suffix of a key that is written to JSON without it, so that it appears twice

# fmt: off
NUMBERS = (  # in text
    b"0", b"-1", b"-0", b"1e300", b"-1e300", b"1e-300", b"1e999", b"nan", b"-inf", b"Infinity", b"0x10", b"1_0",
    b"2147483648", b"-2147483649", b"9223372036854775808", b"1" + b"0" * 400, b"1" + b"0" * 5000, b"0.1.2", b"1e5",
    b"99999999", b"0.5", b"+7", b"\xd9\xa3", b"\xef\xbc\x91", b"", b"1e", b"1e-99999999", b"00012",
)
SEQUENCES = (  # that may be repeated many times
    b" ", b"\t", b"\n", b"\r", b",", b"0", b"9", b"[", b"]", b"{", b"(", b'"', b"'", b"\\", b"\0", b"-", b".", b"#",
    b"a", b"x: ", b"1,", b"1 ", b"<a>", b"&", b"\xff", b"\xc3", b"\xe2\x80\xa8", b"\xf0\x9f\x98\x80", b"u'", b"]]",
    b"x: [[", b"ornt: [", b"1,2,3,4,5,6,7,8\n",
)
TEXTS = (
    b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\xed\xa0\x80", b"\\ud800", b'"\\udfff"', b"\x1b[31m", b"=cmd()",
    b"\x85", b"/dev/zero", b"/dev/full", b"../../../etc/passwd", b"a" * 300 + b".png", b".", b"..", b"~", b"//",
    b"C:\\", b"con.jpg", b"null", b"true", b"[]", b"{}", b"###", b"####", b"*", b"#", b"\\x80", b"\\U00110000",
    b"\\u", b"${oc.env:HOME}", b'<!DOCTYPE a [<!ENTITY b "bbbb">]>', b"&b;" * 20, b"&#0;", b"&#xD800;", b"]]>",
    b"<![CDATA[", b'<?xml version="1.1"?>', b"&a [*a]", b"<<: *a", b"!!python/object/apply:os.system [id]",
    b"? !!map {}", b"---", b"%YAML 9.9", b"ornt: [",
)
INTEGERS = (  # of one to eight bytes
    0, 1, 2, 3, 127, 128, 255, 256, 8000, 20_000, 2**15 - 1, 2**16 - 1, 2**16, 2**24, 2**28, 2**30, 2**31 - 1, 2**31,
    2**32 - 1, 2**63, 2**64 - 1,
)
CHUNKS = (  # of PNG files
    b"PLTE", b"tRNS", b"iCCP", b"zTXt", b"iTXt", b"eXIf", b"gAMA", b"acTL", b"fdAT", b"sPLT", b"IDAT", b"IEND", b"IHDR",
)
NAMES = (  # of zip members
    "../x", "res_.txt", "res_a/../b.txt", "res_img_1.txt", "a\\res_img_1.txt", "res_" + "a" * 300 + ".txt",
    "res_\0.txt", "/res_img_1.txt", "folder/", "res_img_1.TXT", "res_\x1b[31m.txt", "res_img_1.txt/res_img_1.txt",
)
RAW_VALUES = (  # in JSON
    "1e400", "-1e400", "NaN", "-Infinity", "1" + "0" * 400, "1" + "0" * 5000, "-0", "1e-400", "0.1e1",
    "[" * 2000 + "]" * 2000, '{"a":' * 3000 + "1" + "}" * 3000, '"\\ud800"', '"\\u0000"', "9" * 4301,
)
VALUES: tuple[Any, ...] = (  # in any tree
    None, True, False, 0, 1, -1, 2, 5, 0.5, 1e300, 1e-300, 2**31, 2**63, 10**400, 1e9, "", "a", "x" * 300, "1", "nan",
    "###", "train", "../a.png", "/dev/zero", "\x1b[31m", "resnet18", "polygon", "rectangle", "circle", "RGB", "int8",
    "short_side",
)
# fmt: on


def containers() -> list[Any]:
    """New lists and dicts, which may be changed."""
    small = [[], {}, [[]], [None], [0, 0], [[0, 0], [1, 1]], [1] * 9, {"a": 1}, ["a"], [True, True]]
    return [*small, [1e300] * 8, [[1e300, -1e300]] * 4]
