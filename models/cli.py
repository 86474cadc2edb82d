"""The group `spotter model …`: every family of commands, without loading what they need."""

from __future__ import annotations

import click

from models.commands import dataset, detection, export, labelling, recipe, registry, synth, training

FAMILIES = (labelling, dataset, synth, training, recipe, detection, export, registry)


@click.group()
def model() -> None:
    """From footage to a detector: label, make pictures, train, evaluate, export, detect."""


for family in FAMILIES:
    for command in family.COMMANDS:
        model.add_command(command)
