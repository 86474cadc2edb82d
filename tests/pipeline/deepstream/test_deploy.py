"""The files that a DeepStream box is set up with: they parse, and name only what is there."""

from __future__ import annotations

import re
import subprocess
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

import pytest
import yaml

from spotter.cli import cli
from spotter.settings import loads

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy" / "deepstream"
DOCS = ROOT / "docs" / "deepstream.md"


@pytest.mark.parametrize("name", ["compose.jetson.yaml", "compose.dgpu.yaml"])
def test_compose_files_parse_and_name_files_that_are_there(name: str) -> None:
    (service,) = yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))["services"].values()
    context = (DEPLOY / service["build"]["context"]).resolve()
    assert context == ROOT
    assert (context / service["build"]["dockerfile"]).is_file()
    assert service["restart"] == "unless-stopped"
    gpu = service.get("runtime") == "nvidia" or "nvidia" in str(service.get("deploy"))
    assert gpu


@pytest.mark.parametrize("name", ["Dockerfile.7.1", "Dockerfile.9"])
def test_images_bring_what_the_reference_demands(name: str) -> None:
    text = (DEPLOY / name).read_text(encoding="utf-8")
    for needed in (
        "user_additional_install.sh",  # codecs, and the mended jitter buffer
        "libmosquitto1",  # the tracker links it
        "--system-site-packages",  # gi is the system's
        "numpy<2",
        "[deepstream]",
        "NVIDIA_DRIVER_CAPABILITIES=compute,utility,video",
    ):
        assert needed in text, needed
    for copied in re.findall(r"^COPY (?!--from)(\S+)", text, re.M):
        assert (ROOT / copied).exists()
    command = re.search(r'CMD \["(\w+)"', text)
    assert command is not None
    assert command[1] in cli.list_commands(None)  # type: ignore[arg-type]


def let_in(path: str) -> bool:
    """Whether `.dockerignore` lets a path into an image: the last line that fits it, or a folder above it, decides."""
    found = True
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.removeprefix("!")
        whole = [path, *map(str, PurePosixPath(path).parents)]
        parts = whole if "**/" not in pattern else PurePosixPath(path).parts
        if line and not line.startswith("#") and any(fnmatch(part, pattern.removeprefix("**/")) for part in parts):
            found = line.startswith("!")
    return found


def test_images_take_in_what_is_installed_and_no_password() -> None:
    about = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    packages, licences = (
        re.findall(r'"([^"]+)"', re.search(rf"^{key} = \[(.*)\]", about, re.M)[1])  # type: ignore[index]
        for key in ("include", "license-files")
    )
    data = {path.suffix: path for name in packages for path in (ROOT / name.removesuffix("*")).rglob("*.*")}
    needed = [
        "pyproject.toml",
        "README.md",
        *licences,
        *(str(data[kind].relative_to(ROOT)) for kind in (".py", ".onnx")),
    ]
    needed += [f"{name.removesuffix('*')}/__init__.py" for name in packages]
    assert [path for path in needed if not (ROOT / path).exists() or not let_in(path)] == []
    kept_out = (
        *("deploy/deepstream/gym/passwords.env", "deploy/deepstream/gym/gym.yaml", "gym.yaml", "spotter/passwords.env"),
        *(
            "spotter-data/servers.json",
            "models/spotter-data/outbox.db",
            ".git/config",
            ".venv/bin/python",
            "runs/1/a.jpg",
        ),
    )
    assert [path for path in kept_out if let_in(path)] == []


def test_git_takes_no_password_of_a_box() -> None:
    named = "deploy/deepstream/gym/passwords.env"
    assert subprocess.run(["git", "check-ignore", "-q", named], cwd=ROOT, check=False).returncode == 0


def test_the_kubernetes_manifest_is_consistent() -> None:
    claim, deployment = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8"))
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    port = container["args"][container["args"].index("--metrics-port") + 1]
    for probe in ("startupProbe", "livenessProbe"):
        *_, code = container[probe]["exec"]["command"]
        compile(code, probe, "exec")
        assert f"127.0.0.1:{port}/metrics" in code, "metrics are served to the pod itself alone"
    startup = container["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 600
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    claims = {
        volume["persistentVolumeClaim"]["claimName"] for volume in pod["volumes"] if "persistentVolumeClaim" in volume
    }
    assert claims == {claim["metadata"]["name"]}
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels


def test_the_settings_in_the_guide_are_settings(tmp_path: Path) -> None:
    block = re.search(r"```yaml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.S)
    assert block is not None
    text = "\n".join(line.removeprefix("   ") for line in block[1].splitlines())
    settings = loads(text, base=tmp_path, environment={"MQTT_PASSWORD": "one", "CAMERA_PASSWORD": "two"})
    assert settings.engine == "deepstream"
    assert len(settings.cameras) == 2


def test_files_that_the_guide_names_are_there() -> None:
    for path in re.findall(r"deploy/deepstream/[A-Za-z][\w.]*\b(?<!gym)", DOCS.read_text(encoding="utf-8")):
        assert (ROOT / path).exists(), path
