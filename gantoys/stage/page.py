"""A scene as one self-contained web page: script, style and data inside one HTML file, no network."""

from __future__ import annotations

import base64
import html
from importlib import resources
from typing import Any

from gantoys.stage.pack import Packed, seal
from gantoys.stage.scene import Scene

POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
STYLE = """
:root { color-scheme: light dark; --st-font: "Source Sans 3", "Source Sans Pro", system-ui, -apple-system, "Segoe UI",
  Roboto, "Helvetica Neue", Arial, sans-serif; }
:root, :root[data-theme="light"] { --st-text-color: #22262b; --st-background-color: #ffffff;
  --st-secondary-background-color: #f4f5f7; --st-primary-color: #3d4652; }
:root[data-theme="dark"] { --st-text-color: #e8eaed; --st-background-color: #0f1216;
  --st-secondary-background-color: #1a1f26; --st-primary-color: #aab4c0; }
@media (prefers-color-scheme: dark) { :root:not([data-theme="light"]) { --st-text-color: #e8eaed;
  --st-background-color: #0f1216; --st-secondary-background-color: #1a1f26; --st-primary-color: #aab4c0; } }
body { margin: 0; background: var(--st-background-color); color: var(--st-text-color); font-family: var(--st-font); }
main { max-width: 1180px; margin: 0 auto; padding: 16px 20px 28px; }
header { display: flex; align-items: baseline; gap: 16px; margin-bottom: 12px; }
h1 { flex: 1; font-size: 1.5rem; font-weight: 600; margin: 0; }
header button { font: inherit; font-size: 0.9rem; color: inherit; background: none; cursor: pointer; padding: 5px 12px;
  border: 1px solid color-mix(in srgb, currentColor 30%, transparent); border-radius: 8px; }
footer { margin-top: 14px; font-size: 0.85rem; opacity: 0.7; }
"""
BOOT = """
const text = atob(document.getElementById("scene").textContent.trim());
const bytes = Uint8Array.from(text, (c) => c.charCodeAt(0));
const show = () => stage({ parentElement: document.getElementById("stage"), data: bytes, alone: true });
show();
document.getElementById("theme").onclick = () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  show();
};
"""
NOTE = (
    "Made with gantoys. Every number was computed by Python when this page was saved; the page needs no network. "
    "A slider shows its own sweep from the saved state."
)


def asset(name: str) -> str:
    """Text of a file that lies beside this module."""
    return (resources.files("gantoys.stage") / name).read_text(encoding="utf-8")


def standalone(
    scene: Scene | Packed,
    *,
    title: str = "",
    height: int = 520,
    lecture: bool = False,
    compact: bool = True,
    note: str = NOTE,
) -> str:
    """One HTML document that shows `scene` and moves without a server.

    `title`: heading and name of the page (the scene's own when empty). Each control shows its sweep with the others at
    the saved state; moving one puts those it shares a sweep with back there. Raises ValueError like `pack.pack`.
    """
    view: dict[str, Any] = {"height": height, "lecture": lecture}
    scene = scene if isinstance(scene, Packed) else seal(scene, compact=compact)
    data = base64.b64encode(scene.message(view)).decode("ascii")
    name = html.escape(title or scene.title or scene.key)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<link rel="icon" href="data:,">
<title>{name}</title>
<style>{STYLE}{asset("stage.css")}</style>
</head>
<body>
<main>
<header><h1>{name}</h1><button id="theme" type="button">Light or dark</button></header>
<div id="stage"></div>
<footer>{html.escape(note)}</footer>
<noscript>This page draws its picture with JavaScript.</noscript>
</main>
<script id="scene" type="text/plain">{data}</script>
<script type="module">
{asset("stage.js")}
{BOOT}</script>
</body>
</html>
"""
