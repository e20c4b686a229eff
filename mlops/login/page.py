"""The page that the browser shows at the end of a sign-in: no script, nothing loaded from anywhere."""

from __future__ import annotations

from html import escape
from string import Template

HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Connection": "close",
}

_PAGE = Template(
    """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<link rel="icon" href="data:,">
<style>
  :root { --back: #f5f6f8; --card: #fff; --soft: #555; color-scheme: light dark;
          font-family: system-ui, sans-serif; line-height: 1.5 }
  @media (prefers-color-scheme: dark) { :root { --back: #15181d; --card: #20252c; --soft: #aab } }
  body { min-height: 100vh; margin: 0; display: grid; place-items: center; background: var(--back) }
  main { max-width: 26rem; margin: 1rem; padding: 2.5rem; border-radius: 12px; text-align: center;
         background: var(--card); box-shadow: 0 2px 16px rgb(0 0 0 / .12) }
  .mark { width: 3.5rem; height: 3.5rem; margin: auto; border-radius: 50%; display: grid; place-items: center;
          font-size: 1.8rem; color: #fff; background: $colour }
  h1 { font-size: 1.35rem; margin: 1rem 0 .5rem }
  p { margin: 0 0 .75rem; overflow-wrap: anywhere; color: var(--soft) }
</style>
</head>
<body>
<main>
<div class="mark" aria-hidden="true">$mark</div>
<h1>$title</h1>
<p>$detail</p>
$action</main>
</body>
</html>
"""
)


def page(*, title: str, detail: str, succeeded: bool, action: tuple[str, str] | None = None) -> str:
    """The HTML document; the texts are shown as they are, never as markup. `action` is a link: its text and target."""
    mark, colour = ("✓", "#1a7f4b") if succeeded else ("!", "#b3261e")
    link = f'<p><a href="{escape(action[1])}">{escape(action[0])}</a></p>\n' if action else ""
    return _PAGE.substitute(title=escape(title), detail=escape(detail), action=link, mark=mark, colour=colour)
