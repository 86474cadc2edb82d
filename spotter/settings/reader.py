"""Reading ``gym.yaml``: environment values, every mistake at its line with the mend, relative paths."""

from __future__ import annotations

import difflib
import itertools
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import BaseModel, ValidationError

from spotter.errors import SettingsError
from spotter.settings.model import Camera, Settings

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_SQLITE_FILE = re.compile(r"^(sqlite(?:\+\w+)?:///)(?!/|:memory:)(.+)$")

_Path = tuple[str | int, ...]

MAX_NODES = 100_000
"""A file's values with every alias written out: far above any gym, far below what fills the memory."""

MAX_DEPTH = 50
"""Levels of nesting: polygons are eight deep, and Python's own limit gives no line."""

_PLAIN_WORDS = {
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be {ge:g} or more",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be {le:g} or less",
    "too_short": "give at least {min_length}",
    "too_long": "give at most {max_length}",
    "float_parsing": "must be a number such as 2.5",
    "float_type": "must be a number such as 2.5",
    "finite_number": "must be a number such as 2.5",
    "int_parsing": "must be a whole number such as 2",
    "int_type": "must be a whole number such as 2",
    "int_from_float": "must be a whole number such as 2",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be text; put it in quotes",
    "path_type": "must be a path; put it in quotes",
    "tuple_type": "must be a list such as [a, b]",
    "dict_type": "must be `name: value` lines",
    "model_type": "must be `name: value` lines",
}
"""What to write, by pydantic's kind of problem."""

SERVER_VARIABLES = {"SPOTTER_MQTT_URL": "mqtt", "SPOTTER_REDIS_URL": "redis", "SPOTTER_DATABASE_URL": "database"}
"""Environment variables that name a server where the file does not: how `spotter up` tells its parts."""


def load(path: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read and check a settings file.

    Raises SettingsError with one line for each mistake, as ``file:line: place: what is wrong; the mend``.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError(
            f"{path}: no such settings file; name one with --config, or write it: `uri: clip.mp4` alone is complete"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: can't be read ({error})") from error
    return loads(text, base=path.parent, name=str(path), environment=environment)


def loads(text: str, *, base: Path, name: str = "gym.yaml", environment: Mapping[str, str] = os.environ) -> Settings:
    """Check settings given as text; relative paths are relative to `base`. Raises as `load` does."""
    lines: dict[_Path, int] = {}
    problems: list[str] = []
    try:
        values = _parse(text, lines, problems, name)
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{name}:{mark.line + 1}" if mark else name
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise SettingsError(f"{place}: not valid YAML: {reason}") from error
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise SettingsError(f"{name}:1: settings are `name: value` lines, such as `uri: clip.mp4`")
    values = _substitute(values, (), environment, lines, problems, name)
    given = {
        section: variable
        for variable, section in SERVER_VARIABLES.items()
        if environment.get(variable) and section not in values
    }
    for section, variable in given.items():
        values[section] = _server_section(section, environment[variable])
    if environment.get("SPOTTER_DATA"):
        values["data"] = environment["SPOTTER_DATA"]
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        for problem in _worth_telling(error):
            place, wrong = _explain(problem, lines, name)
            problems.append(f"{given.get(problem['loc'][0], place) if problem['loc'] else place}: {wrong}")
        raise SettingsError(*problems) from None
    if problems:
        raise SettingsError(*problems)
    return _resolve(settings, base)


def named_files(
    file: Path, environment: Mapping[str, str] = os.environ
) -> dict[tuple[str | int, ...], tuple[str, Path]]:
    """The video files, the model and the certificates that a settings file names, whatever else is wrong in it.

    By setting, such as ``("cameras", "front", "uri")``: its ``file:line: place`` as written, and the absolute path.
    """
    lines: dict[_Path, int] = {}
    try:
        values = _parse(file.read_text(encoding="utf-8"), lines, [], str(file))
    except (OSError, ValueError, yaml.YAMLError):
        return {}  # `load` tells why
    if not isinstance(values, dict):
        return {}
    cameras = values.get("cameras", {"camera": values})
    named: dict[_Path, Any] = {("model",): values.get("model")}
    if isinstance(values.get("mqtt"), dict):
        named["mqtt", "ca_file"] = values["mqtt"].get("ca_file")
    for name, camera in cameras.items() if isinstance(cameras, dict) else ():
        named["cameras", str(name), "uri"] = camera.get("uri") if isinstance(camera, dict) else None
    found: dict[_Path, tuple[str, Path]] = {}
    for path, value in named.items():
        unknown: list[str] = []
        value = _substitute(value, path, environment, lines, unknown, str(file))
        if isinstance(value, str) and value and "://" not in value and not unknown:
            shown = _shown_path(path, lines)
            found[path] = (f"{file}:{_line(shown, lines)}: {_dotted(shown)}", _absolute(file.parent, Path(value)))
    return found


def _parse(text: str, lines: dict[_Path, int], problems: list[str], name: str) -> Any:
    """The text's values, after a look at its nodes: an alias is not yet written out there."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):  # as events, since all else recurses
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                mark = cast(yaml.Mark, event.start_mark)
                raise yaml.MarkedYAMLError(
                    problem="nested too deeply; settings are a few levels deep", problem_mark=mark
                )
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    _check_node(node, (), lines, problems, name, (), itertools.count())
    return yaml.safe_load(text)


def _server_section(section: str, url: str) -> dict[str, str]:
    if section != "mqtt":
        return {"url": url}
    match = re.fullmatch(r"(mqtts?://)(?:([^:@/]*)(?::([^@/]*))?@)?(.+)", url)
    if match is None:
        return {"url": url}
    scheme, user, password, rest = match.groups()
    credentials = {"username": user, "password": password}
    return {"url": scheme + rest, **{key: value for key, value in credentials.items() if value}}


def _check_node(
    node: yaml.Node | None,
    path: _Path,
    lines: dict[_Path, int],
    problems: list[str],
    name: str,
    around: tuple[yaml.Node, ...],
    visits: Iterator[int],
) -> None:
    """Note the line of every value, and keys given twice (YAML would keep the last without a word).

    Raises yaml.MarkedYAMLError for a value that holds itself (`around` are the nodes that hold this one), for one
    that grows beyond `MAX_NODES` through its aliases, and for a key that is no plain word.
    """
    if node is None:
        return
    if any(node is outer for outer in around):
        raise yaml.MarkedYAMLError(problem="an alias holds itself; write its value out", problem_mark=node.start_mark)
    if next(visits) >= MAX_NODES:
        raise yaml.MarkedYAMLError(
            problem=f"more than {MAX_NODES} values; use fewer aliases", problem_mark=node.start_mark
        )
    around = (*around, node)
    lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a name must be one word", problem_mark=key_node.start_mark)
            key = str(key_node.value)
            if key in seen:
                problems.append(f"{name}:{key_node.start_mark.line + 1}: {key}: given twice; keep one")
            seen.add(key)
            place = (*path, key)
            _check_node(value_node, place, lines, problems, name, around, visits)
            lines[place] = key_node.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _check_node(item, (*path, index), lines, problems, name, around, visits)


def _substitute(
    value: Any, path: _Path, environment: Mapping[str, str], lines: dict[_Path, int], problems: list[str], name: str
) -> Any:
    if isinstance(value, dict):
        return {
            str(key): _substitute(item, (*path, str(key)), environment, lines, problems, name)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [
            _substitute(item, (*path, index), environment, lines, problems, name) for index, item in enumerate(value)
        ]
    if not isinstance(value, str) or "${" not in value:
        return value

    def replace(match: re.Match[str]) -> str:
        variable = match.group(1)
        if variable not in environment:
            problems.append(
                f"{name}:{_line(path, lines)}: {_dotted(path)}: the environment has no {variable}; "
                f"set it: export {variable}=…"
            )
        return environment.get(variable, "")

    return _VARIABLE.sub(replace, value)


def _worth_telling(error: ValidationError) -> list[Any]:
    """The problems without a list's "too short" that only says that some of its items have problems."""
    problems: list[Any] = error.errors(include_url=False, include_input=False)
    places = {problem["loc"] for problem in problems}
    holders = {place[:length] for place in places for length in range(len(place))}
    return [problem for problem in problems if problem["type"] != "too_short" or problem["loc"] not in holders]


def _explain(problem: Any, lines: dict[_Path, int], name: str) -> tuple[str, str]:
    """Where a problem is in the file, and what to do about it."""
    path: _Path = tuple(part for part in problem["loc"] if part != "[key]")
    shown = _shown_path(path, lines)
    place = f"{name}:{_line(shown, lines)}: {_dotted(shown) or 'settings'}"
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "extra_forbidden" and len(path) == 1 and path[0] in Camera.model_fields:
        return place, "belongs to a camera; put it under the camera's name in `cameras:`"
    if kind == "extra_forbidden":
        known = _known_keys(path[:-1])
        close = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.5)
        mend = f"did you mean `{close[0]}`?" if close else f"known here: {', '.join(known)}"
        return place, f"unknown setting; {mend}"
    if kind == "missing":
        return place, "missing; add it"
    if kind == "union_tag_invalid":
        return place, f"kind must be one of {context['expected_tags']}"
    if kind == "union_tag_not_found":
        return place, "add `kind:` station, rack, floor, walkway, waiting or kiosk"
    if kind == "literal_error":
        return place, f"must be {context['expected']}"
    if kind == "string_pattern_mismatch":
        return place, "use letters, digits, dot, dash and underscore (at most 64, the first a letter or digit)"
    if kind in _PLAIN_WORDS:
        return place, _PLAIN_WORDS[kind].format(**context)
    return place, str(problem["msg"]).removeprefix("Value error, ")


def _shown_path(path: _Path, lines: dict[_Path, int]) -> _Path:
    """The path as written: without discriminator tags, and as written in the short form for one camera."""
    shown: _Path = ()
    for part in path:
        if (*shown, part) in lines or part not in ("station", "rack", "floor", "walkway", "waiting", "kiosk"):
            shown = (*shown, part)
    if shown[:2] == ("cameras", "camera") and ("cameras",) not in lines:
        shown = shown[2:]
    return shown


def _line(path: _Path, lines: dict[_Path, int]) -> int:
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _dotted(path: _Path) -> str:
    return ".".join(str(part) for part in path)


def _known_keys(path: _Path) -> list[str]:
    """The keys that a section takes, found by walking the models along `path`."""
    from spotter.settings import model as shapes

    servers: dict[str, type[BaseModel]] = {"mqtt": shapes.Mqtt, "redis": shapes.Redis, "database": shapes.Database}
    section: type[BaseModel] = Settings
    for part in path:
        field = section.model_fields.get(str(part))
        annotation = field.annotation if field else None
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            section = annotation
        elif section is Settings and part == "cameras":
            section = Camera
        elif isinstance(part, str) and hasattr(shapes, f"{part.capitalize()}Zone"):
            section = getattr(shapes, f"{part.capitalize()}Zone")
        elif section is Settings and part in servers:
            section = servers[str(part)]
    return sorted(field.alias or key for key, field in section.model_fields.items())


def _resolve(settings: Settings, base: Path) -> Settings:
    """The same settings with relative paths made relative to `base`, the file's folder."""
    cameras = {
        name: camera.model_copy(update={"uri": str(_absolute(base, Path(str(camera.uri))))})
        if camera.is_file
        else camera
        for name, camera in settings.cameras.items()
    }
    update: dict[str, Any] = {"cameras": cameras, "data": _absolute(base, settings.data)}
    if settings.model is not None:
        update["model"] = _absolute(base, settings.model)
    own = settings.deepstream
    paths = {key: path for key in ("engines", "tracker_config") if (path := getattr(own, key)) is not None}
    update["deepstream"] = own.model_copy(update={key: _absolute(base, path) for key, path in paths.items()})
    if settings.mqtt is not None and settings.mqtt.ca_file is not None:
        ca_file = _absolute(base, settings.mqtt.ca_file)
        update["mqtt"] = settings.mqtt.model_copy(update={"ca_file": ca_file})
    if settings.database is not None:
        url = settings.database.url.get_secret_value()
        match = _SQLITE_FILE.match(url)
        if match:
            absolute = f"{match[1]}{_absolute(base, Path(match[2]))}"
            update["database"] = settings.database.model_copy(update={"url": type(settings.database.url)(absolute)})
    return settings.model_copy(update=update)


def _absolute(base: Path, path: Path) -> Path:
    return path if path.is_absolute() else (base / path).absolute()
