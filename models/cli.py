"""The group `spotter model …`: every family of commands, without loading what they need."""

from __future__ import annotations

import click

from models.commands import dataset, detection, export, labelling, registry, training

FAMILIES = (labelling, dataset, training, detection, export, registry)


@click.group()
def model() -> None:
    """Detect, evaluate, train and export."""


for family in FAMILIES:
    for command in family.COMMANDS:
        model.add_command(command)
