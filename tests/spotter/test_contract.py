"""The documents under docs/ say what the code does."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema

from spotter import contract
from spotter.commands.config import settings_reference
from spotter.events import MESSAGES

DOCS = Path(__file__).parents[2] / "docs"


def test_documents_are_in_step_with_the_models() -> None:
    for path, text in contract.documents().items():
        assert (DOCS / path).read_text(encoding="utf-8") == text, f"docs/{path}: run `spotter events schema --out docs`"


def test_no_schema_is_left_over() -> None:
    made = {path.name for path in contract.documents() if path.parent.name == "events"}
    assert {path.name for path in (DOCS / "events").glob("*.json")} == made


def test_every_schema_is_a_valid_one() -> None:
    for message in MESSAGES:
        jsonschema.Draft202012Validator.check_schema(contract.json_schema(message))


def test_asyncapi_references_exist_and_every_topic_has_its_parameters() -> None:
    document = json.loads(contract.documents()[Path("asyncapi.json")])
    for name, channel in document["channels"].items():
        for parameter in channel["parameters"]:
            assert f"{{{parameter}}}" in channel["address"]
        reference = channel["messages"][name]["payload"].get("$ref")
        assert reference is None or (DOCS / reference).is_file()
        assert document["operations"][name]["bindings"]["mqtt"]["qos"] in (0, 1)


def test_the_settings_reference_is_in_step_with_the_models() -> None:
    text = (DOCS / "settings.md").read_text(encoding="utf-8")
    assert text == settings_reference(), "run `spotter config reference > docs/settings.md`"
