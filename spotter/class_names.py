"""Class names as files state them, in the order of their numbers: a list, or a mapping of number to name."""

from __future__ import annotations


def class_names(names: object) -> tuple[str, ...]:
    """The names by class number; the order in which a mapping is written says nothing.

    Raises ValueError for what is neither a list nor a mapping of 0, 1, 2, … without gaps.
    """
    if isinstance(names, list | tuple):
        return tuple(str(name) for name in names)
    if not isinstance(names, dict):
        raise ValueError("`names` is neither a list nor a mapping of numbers to names")
    try:
        numbered = {int(key): str(name) for key, name in names.items()}
    except (TypeError, ValueError):
        raise ValueError("`names` has a key that is no class number") from None
    if len(numbered) != len(names) or sorted(numbered) != list(range(len(numbered))):
        raise ValueError("`names` does not number its classes 0, 1, 2, … without gaps")
    return tuple(numbered[number] for number in range(len(numbered)))
