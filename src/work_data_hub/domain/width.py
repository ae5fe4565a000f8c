"""Full-width to half-width, the one place."""

_HALF = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}


def half_width(text: str) -> str:
    """Full-width ASCII and the ideographic space as their half-width forms: `ＡＢＣ－１` → `ABC-1`."""
    return text.translate(_HALF)
