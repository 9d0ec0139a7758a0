"""Answers in plain HTML and text, and the headers that every answer gets."""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence

from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import Message

from domotic_assets.escaping import html_text

_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:34em;margin:4em auto;padding:0 1em}"
    "label,input,button{display:block;margin:.3em 0;font:inherit}code{background:#eee}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_OWN_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS: Mapping[bytes, bytes] = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    # Under `no-referrer` a form would name no origin, and could not be told from a foreign one.
    b"referrer-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
_NONCE = re.compile(rb"'nonce-([A-Za-z0-9+/=_-]+)'")


def page(title: str, body: str, status: int = 200) -> Response:
    """Make a page of ours. body: HTML of ours, in which nothing foreign stands."""
    return HTMLResponse(
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{html_text(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{html_text(title)}</h1>{body}</body></html>",
        status,
        {"Content-Security-Policy": _OWN_POLICY, "Cache-Control": "no-store"},
    )


def refusal(status: int, text: str) -> Response:
    """Make an answer that refuses, in one line."""
    return PlainTextResponse(
        f"{text}\n", status, {"Content-Security-Policy": _OWN_POLICY, "Cache-Control": "no-store"}
    )


def redirect(path: str) -> Response:
    """Make an answer that leads to another page of ours."""
    return RedirectResponse(path, 303, {"Content-Security-Policy": _OWN_POLICY, "Cache-Control": "no-store"})


def secured(message: Message, *, may_be_kept: bool) -> Message:
    """Return the start of an answer with the headers that keep its page to itself.

    Whatever a page shows, its browser loads nothing from elsewhere and sends nothing there. A nonce that the
    application gave to its scripts stays. may_be_kept: whether the browser may keep a copy on disk.
    """
    held: Sequence[tuple[bytes, bytes]] = message.get("headers", ())
    policies = [value for name, value in held if name.lower() == b"content-security-policy"]
    policy = policies[0] if policies == [_OWN_POLICY.encode()] else _policy(b" ".join(policies))
    replaced = {*_HEADERS, b"content-security-policy", b"server", b"feature-policy"}
    replaced |= set() if may_be_kept else {b"cache-control"}
    headers = [(name, value) for name, value in held if name.lower() not in replaced]
    headers += [*_HEADERS.items(), (b"content-security-policy", policy)]
    headers += [] if may_be_kept else [(b"cache-control", b"no-store")]
    return {**message, "headers": headers}


def _policy(given: bytes) -> bytes:
    """Return what a page of the application may load: all of this origin, and scripts within it by nonce."""
    nonce = _NONCE.search(given)
    scripts = b"'self'" + (b" 'nonce-" + nonce[1] + b"'" if nonce else b"")
    return (
        b"default-src 'none'; script-src " + scripts + b"; style-src 'self' 'unsafe-inline'; "
        b"img-src 'self' data: blob:; font-src 'self' data:; media-src 'self'; connect-src 'self'; "
        b"worker-src 'self' blob:; manifest-src 'self'; form-action 'self'; base-uri 'none'; "
        b"frame-ancestors 'none'"
    )
