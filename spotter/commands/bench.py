"""`spotter bench`: measure this machine, each figure as a ratio or a time taken in one run."""

from __future__ import annotations

import importlib

import click

_BENCHES = {
    "pipeline": ("pipeline.bench:bench_pipeline", "Detections a second against bare onnxruntime."),
    "capture": ("pipeline.bench_capture:bench_capture", "Processor time of OpenCV and GStreamer for each camera."),
    "latency": ("spotter.commands.bench_latency:latency", "Frame captured to row committed."),
    "handover": ("pipeline.deepstream.bench:bench_handover", "From DeepStream's probe to the pipeline's queue."),
    "rules": ("consumers.bench_rules:bench_rules", "Scenes a second that one core interprets in memory."),
    "consumers": ("consumers.bench:bench_consumers", "Scenes a second from MQTT to the database."),
    "dashboard": ("dashboard.bench.routes:bench_dashboard", "Pages and API calls over a year of 5 million sessions."),
    "live": ("dashboard.bench.live:bench_live", "From a change of a scene to fifty open pages."),
}


class _Benches(click.Group):
    """Each bench by the module that has it, imported when called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_BENCHES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _BENCHES:
            return None
        module, attribute = _BENCHES[cmd_name][0].split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _BENCHES.items()])


@click.group(cls=_Benches)
def bench() -> None:
    """Measure this machine; each command prints a Markdown table."""
