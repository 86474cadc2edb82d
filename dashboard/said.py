"""What is said in English elsewhere, in the language of the one who reads.

Why a camera is away, what an alert was raised for, why a mail did not get through. Sentences are known here by
their shape, so that events, logs and the database need no language. What has no known shape stays in English.
"""

from __future__ import annotations

import re
from functools import cache

from flask import Flask

from dashboard.context import current
from dashboard.language import SOURCE, chosen, mark, translated
from spotter.catalog import Catalog, Language

SENTENCES = (
    # the length of a time
    mark("%(number)s s"),
    mark("%(number)s min"),
    # alerts, raised
    mark("%(label)s at rest in walkway %(zone)s for %(length)s"),
    mark("%(label)s at rest for %(length)s with nobody in reach"),
    mark("%(label)s seen nowhere for %(length)s"),
    mark("people wait at %(zone)s for %(length)s"),
    mark("camera %(camera)s gives no picture for %(length)s"),
    mark("%(unit)s was in use for %(number)s h since its last service"),
    # and over
    mark("%(label)s does not lie there any more"),
    mark("%(label)s is seen again"),
    mark("nobody waits at %(zone)s any more"),
    mark("camera %(camera)s gives a picture again"),
    mark("%(unit)s was serviced"),
    # cameras: their address and way
    mark("the address has no valid port; check it"),
    mark("the address is not one that can be opened; use rtsp://, http:// or the path of a file"),
    mark("no device is called %(host)s; check the address"),
    mark("connection refused at %(host)s; check the port, and that the camera streams"),
    mark("no answer from %(host)s; check the address, the network and the camera's power"),
    mark("%(host)s can't be reached (%(cause)s); check the network"),
    mark("%(host)s does not speak %(protocol)s (%(cause)s); check the address"),
    mark("it asks for a log-in; give `username:` and `password:`"),
    mark("the log-in is refused; check `username:` and `password:`"),
    mark("the camera has no stream at this path; check the address's end"),
    mark("nothing is at this path (404); check the address's end"),
    mark("the camera serves no more viewers; close another one"),
    mark("the camera answers with an error (%(cause)s); it may still be starting"),
    mark("the server answers with an error (%(cause)s)"),
    mark("there is no %(device)s; plug the webcam in, or check its number"),
    mark("%(device)s does not open; another program may use it, or this user may not"),
    mark("no such file; check the path"),
    mark("this is a folder; name a video file"),
    mark("the file is empty"),
    mark("the file can't be read (%(cause)s); check its permissions"),
    mark("not a video that can be read; convert it, for example with: ffmpeg -i IN -c:v libx264 OUT.mp4"),
    mark("can't be played from %(number)s s on"),
    mark("the file has ended"),
    # cameras: their pictures
    mark("the graph is started"),
    mark("connecting to the camera"),
    mark("the stream has broken off"),
    mark("the camera has ended the stream"),
    mark("the camera is connected but sends no pictures"),
    mark("no picture for %(number)s s"),
    mark("no picture for %(number)s s; check the camera"),
    mark("a picture can't be decoded"),
    mark("its pictures can't be decoded; check the camera"),
    mark("it answers, but gives no video that can be read; check the stream's path and its codec"),
    mark("it sends, but nothing that can be decoded; check the camera and its codec"),
    mark("hardware decoding by %(decoder)s fails; trying without"),
    mark("GStreamer's %(element)s is not installed; apt install %(packages)s"),
    mark("GStreamer can't read %(format)s; apt install %(packages)s"),
    mark("GStreamer can't decode %(format)s; apt install %(packages)s"),
    # the pipeline
    mark("waiting for the first look at a picture"),
    mark("the detector has stalled"),
    mark("the detector fails (%(cause)s)"),
    mark("the detector is too slow for detect_fps: most frames are passed over"),
    mark("the detector's engine is built for this GPU; that takes minutes, once"),
    mark("the detector's engine is built for this GPU; that takes minutes, once (%(number)s s so far)"),
    mark("DeepStream has failed (%(cause)s)"),
    mark("all %(number)s places of the graph are taken"),
    mark("scenes can't be written to the outbox (%(cause)s)"),
    mark("the outbox is full: the oldest scenes are dropped; bring the broker and the database back"),
    mark("the camera was taken out of the settings"),
    mark("the pipeline was stopped"),
    mark("the pipeline has ended without a word"),
    mark("the pipeline reports it %(state)s"),
    # the other parts
    mark("broker %(host)s does not answer; check that it runs and `mqtt:`"),
    mark("broker %(host)s %(cause)s; check that it runs and `mqtt:`"),
    mark("%(part)s gives a sign of life that is not understood; are all parts of one version?"),
    mark("the database refused a query (%(cause)s)"),
    mark("not started"),
    # messages that did not get through
    mark("%(host)s refuses the user name and password"),
    mark("%(host)s refuses %(addresses)s"),
    mark("it answers %(number)s"),
    mark("the webhook answers %(number)s"),
    mark("the webhook does not answer (%(cause)s)"),
    mark("its push service is not among those that the settings allow"),
    mark("the push service answers %(number)s"),
    mark("the push service does not answer (%(cause)s)"),
    # parts of Spotter
    mark("the settings name no Redis; add `redis: {url: …}` or start everything with `spotter up`"),
    mark("Redis refuses the password; check `redis.url` in the settings"),
    mark("Redis does not answer (%(cause)s); check that it runs and `redis.url`"),
    # sets of pictures
    mark("%(file)s does not name the classes; see docs/model.md"),
    mark("a picture of %(size)s pixels is too large"),
    mark("not a picture that can be read"),
    mark("%(file)s can't be read"),
    mark("%(file)s, line %(number)s: %(row)s is not `class x y width height`"),
    mark("%(camera)s is degraded"),
    mark("%(camera)s is offline"),
    mark("%(camera)s is not known"),
)
"""What is said, with a name for each part that differs. `number` is a number, `label` one of the catalogue."""

_NARROW = {"number": r"[\d.]+", "camera": r"[^\s,]+"}
_PART = re.compile(r"%\((\w+)\)s")


def init_app(app: Flask) -> None:
    """`{{ text|said }}` in templates, and the sentences for scripts."""
    app.jinja_env.filters["said"] = said_here
    app.context_processor(lambda: {"sentences": lambda: for_scripts(chosen())})


def said_here(text: str) -> str:
    """A sentence in the language of the one who asks."""
    return said(text, chosen(), current().catalog)


def said(text: str, language: Language, catalog: Catalog) -> str:
    """A sentence in `language`; parts of a list, and what stands before a colon, are looked at alone."""
    for sentence in SENTENCES:
        if match := shape(sentence).fullmatch(text):
            values = match.groupdict()
            if "label" in values:
                values["label"] = catalog.name(values["label"], language)
            if "length" in values:
                values["length"] = said(values["length"], language, catalog)
            return translated(sentence, language) % values
    for separator in (": ", ", "):
        before, found, rest = text.partition(separator)
        if found:
            return f"{said(before, language, catalog)}{separator}{said(rest, language, catalog)}"
    return text


@cache
def for_scripts(language: Language) -> list[tuple[str, str]]:
    """The shapes as scripts read them, each with its words in `language`; none where that is the one it is said in."""
    if language == SOURCE:
        return []
    return [(shape(one).pattern.replace("(?P<", "(?<"), translated(one, language)) for one in SENTENCES]


@cache
def shape(sentence: str) -> re.Pattern[str]:
    """What a sentence looks like, with a group for each part that differs."""
    pieces = _PART.split(sentence)
    return re.compile(
        "".join(
            f"(?P<{piece}>{_NARROW.get(piece, '.+?')})" if index % 2 else re.escape(piece)
            for index, piece in enumerate(pieces)
        )
    )
