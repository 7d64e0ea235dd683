"""Texts that are not what they seem, as members of a workspace can put them into their names."""

from collections.abc import Iterator
from unicodedata import category

from markdown_it import MarkdownIt

RENDERER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
INERT = {"text", "text_special", "code_inline"}
TEXTS = (
    "\x1b[31mRED\x1b]0;owned\x07",
    "[red]x[/red]",
    "[/]",
    "[link=file:///etc/passwd]x[/link]",
    ":bomb: :skull:",
    "a|b|c",
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "&lt;b&gt; &#106;avascript&colon;",
    "![i](http://e.example/x.png)",
    "[x](javascript:alert(1))",
    "[x][1]\n\n[1]: http://e.example",
    "http://e.example www.e.example mal@e.example",
    "`code` **bold** _it_ ~~no~~",
    "# head",
    "1. one",
    "- one",
    "    indented",
    "> quoted",
    "---",
    "| a |\n|---|\n| b |",
    "{{7*7}} {% raw %} ${x}",
    "\u202eevil",
    "\u2066a\u2069",
    "a\u200bb\u200d\ufeff\u00ad",
    "a\ufe0f\u3164\u115f\U000e0041\u034f",
    "=cmd|' /C calc'!A0",
    " \t@SUM(1)",
    "＝1+1",
    "'=1",
    "a;=1+1",
    'a;"=1',
    "\r\nX: y",
    "name\u0085next\u2028line",
    "Zoë \ud83d",
    "\udc80\x00\x7f\x9b31m",
    "a" + "\u0301\u0316" * 50,
    "\\u202e \\n \\",
    "\U0001f3fb",
    "\u1161",
    "A" * 10_000,
    "<" * 300 + ">" * 300,
)


def seen(text: str) -> bool:
    """Tell whether a reader sees every character, and no one of them moves or recolours the others."""
    hidden = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    return not any(category(c) in hidden or "\ufe00" <= c <= "\ufe0f" or c == "\u3164" for c in text)


def parts(page: str) -> Iterator[tuple[str, str]]:
    """Yield what stands in the lines and cells of *page*, which is Markdown: kinds, those of text being INERT, and contents."""
    for token in RENDERER.parse(page):
        yield from ((part.type, part.content) for part in token.children or ())
