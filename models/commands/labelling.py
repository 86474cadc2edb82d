"""`spotter model frames`, `corrected` and `import-labels`: from a video, corrections or labels to a data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from models.commands import FILE, FOLDER, need
from models.commands.durations import Duration
from spotter.weights import weights_path

if TYPE_CHECKING:
    from models.frames import Taken
    from models.labelling.importing import Imported

_SHOWN = 20  # findings of a kind that are printed before "and N more"


@click.command()
@click.argument("videos", nargs=-1, required=True, type=FILE)
@click.option("--out", type=FOLDER, default=Path("frames"), show_default=True, help="Where the pictures go.")
@click.option("--every", type=Duration(), default="0.5s", show_default=True, help="Time between frames.")
@click.option("--size", type=click.IntRange(32, 4096), default=640, show_default=True, help="Side in pixels.")
@click.option("--own-size", is_flag=True, help="Keep the video's size; --size has no effect.")
@click.option("--stretch", is_flag=True, help="Stretch to a square instead of filling it up with grey.")
@click.option("--keep-blurred", is_flag=True, help="Take blurred frames too.")
@click.option("--keep-copies", is_flag=True, help="Take frames that look like the one before, too.")
def frames(
    videos: tuple[Path, ...],
    out: Path,
    every: float,
    size: int,
    own_size: bool,
    stretch: bool,
    keep_blurred: bool,
    keep_copies: bool,
) -> None:
    """Take still pictures from VIDEOS for labelling.

    Blurred frames and near-copies of the frame before are left out, and said so. A picture is called
    VIDEO-000123.jpg after the frame's number in its video.
    """
    need("cpu", "cv2", "numpy")
    from models.frames import LEAST_SHARPNESS, SAME_LEVELS, FrameSettings, take_frames
    from models.progress import progress_bar
    from models.video import Video

    settings = FrameSettings(
        every=every,
        size=None if own_size else size,
        stretch=stretch,
        sharpness=0.0 if keep_blurred else LEAST_SHARPNESS,
        difference=0.0 if keep_copies else SAME_LEVELS,
    )
    names = Counter(video.stem for video in videos)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise click.UsageError(f"two videos are called {twice[0]}: their pictures would be mixed up; rename one")
    with progress_bar("frames", sum(Video(video).frames for video in videos)) as advance:
        results = [take_frames(video, out, settings, advance) for video in videos]
    for taken in results:
        _print_taken(taken, out)


@click.command()
@click.argument("recording", type=FILE)
@click.option("--corrections", type=FILE, required=True, help="What *Download for training* on the dashboard gives.")
@click.option("--camera", required=True, help="Whose view is recorded, as the corrections call it.")
@click.option("--start", required=True, metavar="TIME", help="When it begins, such as 2026-11-30T08:00:00+01:00.")
@click.option("--config", type=FILE, help="Settings with the time zone of a --start that names none.")
@click.option("--out", type=FOLDER, required=True, help="Set of the labels page to begin or to add to.")
@click.option("--every", type=Duration(), default="0.5s", show_default=True, help="Time between frames.")
@click.option("--weights", type=FILE, help="ONNX detector; the shipped one where left out.")
@click.option("--conf", type=click.FloatRange(0, 1), default=0.3, show_default=True, help="Least score proposed.")
def corrected(
    recording: Path,
    corrections: Path,
    camera: str,
    start: str,
    config: Path | None,
    out: Path,
    every: float,
    weights: Path | None,
    conf: float,
) -> None:
    """Make a set for the labels page of RECORDING: frames of sessions that people corrected on the dashboard.

    Boxes are what the detector finds, under the corrected label where theirs was found wrong.
    """
    need("cpu", "cv2", "numpy", "onnxruntime", "supervision")
    from models.corrected import read_corrections, sessions_in, write_set
    from models.progress import progress_bar
    from models.video import Video
    from spotter.catalog import load as load_catalog
    from spotter.detector import Detector

    sessions = sessions_in(read_corrections(corrections), camera, recording, _moment(start, config))
    detector = Detector(weights_path(weights), confidence=conf)
    with progress_bar("frames", Video(recording).frames) as advance:
        done = write_set(recording, sessions, out, detector, load_catalog(), every=every, passed=advance)
    _print_taken(done.taken, out / "images")
    click.echo(f"corrected sessions: {len(sessions)}; proposed: {_counted(done.boxes)}")
    if done.renamed:
        click.echo(f"renamed: {_counted({f'{old} → {new}': count for (old, new), count in done.renamed.items()})}")
    if unused := sorted({one.taken_for for one in sessions if one.truly is None}):
        click.echo(f"no use: {', '.join(unused)}; boxes stay where it was found: delete those that are wrong")
    click.echo(f"accept them on the labels page, set {out.name}")


@click.command(name="import-labels")
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@click.option("--out", type=FOLDER, default=Path("dataset"), show_default=True, help="Data set to make or add to.")
@click.option("--pictures", type=click.Path(path_type=Path, exists=True), help="Folder of pictures, or the video.")
@click.option("--format", "form", help="darklabel, yolo, voc, coco, label-studio or cvat; found out where left out.")
@click.option("--classes", type=FILE, help="Class names: darklabel.yml, data.yaml, or a text file with one a line.")
@click.option("--classes-set", help="Which list of darklabel.yml; its own choice where left out.")
@click.option("--fields", help="Cells of a merged DarkLabel file, such as fn,cname,id,x1,y1,w,h.")
@click.option("--map", "pairs", multiple=True, help="NAME=label: what a name of the source means.")
@click.option("--every", type=Duration(), help="Of a labelled video, take a frame only so often.")
@click.option(
    "--check", is_flag=True, help="Only list what is wrong; write nothing. Exit code 1 where labels are lost."
)
def import_labels_command(
    source: Path,
    out: Path,
    pictures: Path | None,
    form: str | None,
    classes: Path | None,
    classes_set: str | None,
    fields: str | None,
    pairs: tuple[str, ...],
    every: float | None,
    check: bool,
) -> None:
    """Bring labels into a data set: from DarkLabel, YOLO, Pascal VOC, COCO, Label Studio or CVAT.

    SOURCE is a file, a folder or a zip. Class names become labels of the catalogue by name and alias; others are
    kept under their own name and reported.
    """
    need("cpu", "cv2", "numpy")
    from models.labelling.formats import FORMATS, ReadingOptions
    from models.labelling.importing import import_labels, labels_of
    from models.labelling.names import Names, parse_given
    from spotter.catalog import load

    if form is not None and form not in FORMATS:
        raise click.BadParameter(f"{form!r} is none of {', '.join(FORMATS)}", param_hint="--format")
    names = Names(load(), given=parse_given(pairs), start=labels_of(out))
    options = ReadingOptions(form, classes, classes_set, fields)
    done = import_labels(source, None if check else out, names, options, pictures=pictures, every=every)
    _print(done, source, out, check)
    if (check and not done.sound) or not done.pictures:
        raise SystemExit(1)


def _print(done: Imported, source: Path, out: Path, check: bool) -> None:
    """The findings, then what came of it."""
    shown: Counter[str] = Counter()
    for finding in done.findings:
        shown[finding.kind] += 1
        if shown[finding.kind] <= _SHOWN:
            click.echo(str(finding))
    for kind, count in shown.items():
        if count > _SHOWN:
            click.echo(f"{kind}: and {count - _SHOWN} more")
    renamed = [f"{name} → {label}" for name, label in done.names.items() if name != label]
    if renamed:
        click.echo(f"names: {', '.join(renamed)}")
    for label, count in done.boxes.most_common():
        click.echo(f"{label:>16} {count:6d}")
    total = f"{done.pictures} pictures, {sum(done.boxes.values())} boxes"
    if check:
        verdict = "sound" if done.sound else "has mistakes that lose labels; mend them in the tool and check again"
        click.echo(f"{source}: {done.form}, {total}: {verdict}")
    elif not done.pictures:
        click.echo(f"{source}: {done.form}: nothing to import", err=True)
    else:
        click.echo(f"{source}: {done.form}, {total} in {out}/data.yaml; next: spotter model split {out}")


def _print_taken(taken: Taken, out: Path) -> None:
    left = []
    if taken.copies:
        left.append(f"{len(taken.copies)} near-copies of the frame before")
    if taken.blurred:
        left.append(f"{len(taken.blurred)} blurred ({_some(taken.blurred)})")
    click.echo(
        f"{taken.video}: {len(taken.kept)} of {taken.looked_at} frames in {out}"
        + (f"; left out: {', '.join(left)}" if left else "")
    )


def _moment(text: str, config: Path | None) -> datetime:
    """The moment that a person typed; without a time zone, in that of the settings."""
    from spotter.settings import load

    try:
        began = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no time; write 2026-11-30T08:00:00+01:00", param_hint="--start"
        ) from None
    if began.tzinfo is None and config is not None:
        began = began.replace(tzinfo=ZoneInfo(load(config).timezone))
    if began.tzinfo is None:
        raise click.BadParameter(
            f"{text!r} has no time zone; write {text}+01:00, or give --config", param_hint="--start"
        )
    if not 2000 <= began.year < 2100:
        raise click.BadParameter(f"{text!r}: no gym was recorded in that year", param_hint="--start")
    return began


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{what} {count}" for what, count in Counter(counts).most_common()) or "nothing"


def _some(numbers: list[int]) -> str:
    first = ", ".join(str(n) for n in numbers[:5])
    return f"frames {first}, …" if len(numbers) > 5 else f"frames {first}"


COMMANDS = (frames, corrected, import_labels_command)
