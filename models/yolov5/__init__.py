"""A compact YOLOv5 in torch alone: the architecture of releases 6 and 7, sizes n to x, for three strides or four."""

_MULTIPLES: dict[str, tuple[float, float]] = {
    "n": (0.33, 0.25),
    "s": (0.33, 0.50),
    "m": (0.67, 0.75),
    "l": (1.0, 1.0),
    "x": (1.33, 1.25),
}

SIZES: dict[str, tuple[float, float]] = _MULTIPLES | {f"{letter}6": pair for letter, pair in _MULTIPLES.items()}
"""Depth and width multiples by variant; `n6` and the like have a fourth stride (P6), for inputs of 1280 pixels."""
