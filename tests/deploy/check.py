"""Checks every file of deploy/ that is somebody else's format, with that format's own validator: no container engine, no
cluster and no systemd need to run. Whatever is missing is a failure. Needs hadolint, kubernetes-validate, jsonschema and
PyYAML (tests/setup), and of Debian kubectl, promtool and systemd-analyze (.ci/run).

    target/tests/venv/bin/python tests/deploy/check.py
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import jsonschema
import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
TOOLS = Path(sys.executable).parent

# The most that `systemd-analyze security` may find, in tenths: 0 is locked away, 100 is root without bounds.
EXPOSURE = 15


def run(*words: str | Path, **more) -> str:
    """Runs a tool and gives what it says; says so and stops if it complains."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, **more)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, words))}: ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def pinned(image: str, where: str) -> None:
    """An image has a tag that is a version, for readers, and a digest; ours has no digest before it is pushed."""
    digest = "" if re.search(r"(^|/)priorityd:", image) else "@sha256:[0-9a-f]{64}"
    if not re.search(rf":v?\d+\.\d+\.\d+(-[a-z0-9.]+)?{digest}$", image):
        sys.exit(f"{where}: {image} is not pinned by version and digest")


def dockerfile() -> None:
    file = DEPLOY / "Dockerfile"
    run(TOOLS / "hadolint", "--failure-threshold", "style", file)
    text = file.read_text()
    pinned(re.search(r"^ARG RUST=(\S+)", text, re.M)[1], "Dockerfile")
    last = text[text.rindex("\nFROM ") :]
    for must in ("\nFROM scratch", "\nUSER 65532:65532", "HEALTHCHECK", '"healthcheck"', "\nENTRYPOINT ["):
        if must not in last:
            sys.exit(f"Dockerfile: its last stage has no {must.strip()}")
    version = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    if f'image.version="{version}"' not in text or f"priorityd:{version} " not in text:
        sys.exit(f"Dockerfile: the version is {version} in Cargo.toml")
    run("shellcheck", DEPLOY / "assemble.sh", DEPLOY / "compose/prepare")


def context() -> None:
    """What the image is built from is enough to build from: every target of the workspace, and all that is compiled in."""
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    with tempfile.TemporaryDirectory() as folder:
        for pattern in (line[1:] for line in lines if line.startswith("!")):
            found = list(ROOT.glob(pattern))
            if not found:
                sys.exit(f"Dockerfile.dockerignore: there is no {pattern}")
            for path in found:
                there = Path(folder) / path.relative_to(ROOT)
                there.parent.mkdir(parents=True, exist_ok=True)
                ignore = shutil.ignore_patterns("target", "corpus", "artifacts")
                shutil.copytree(path, there, ignore=ignore) if path.is_dir() else shutil.copy(path, there)
        run("cargo", "metadata", "--no-deps", "--offline", "--format-version", "1", cwd=folder)
        for source in Path(folder, "src").rglob("*.rs"):
            for name in re.findall(r'include_(?:str|bytes)!\("([^"]+)"\)', source.read_text()):
                if not (source.parent / name).resolve().is_file():
                    sys.exit(f"Dockerfile.dockerignore: {name} of {source.relative_to(folder)} is left out")


def compose() -> None:
    document = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    schema = json.loads((ROOT / "tests/deploy/compose-spec.json").read_text())
    problems = list(jsonschema.Draft7Validator(schema).iter_errors(document))
    for problem in problems:
        print(f"compose.yaml: {'.'.join(map(str, problem.path))}: {problem.message}")
    if problems:
        sys.exit(1)
    services = document["services"]
    for name in ("kafka", "priorityd", "prometheus", "grafana"):
        pinned(services[name]["image"], "compose.yaml")
    daemon = services["priorityd"]
    if not (daemon["read_only"] and daemon["cap_drop"] == ["ALL"] and daemon["user"] == "65532:65532"):
        sys.exit("compose.yaml: the daemon is not locked")
    for service in services.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./") and "/state/" not in source and not (DEPLOY / source).exists():
                sys.exit(f"compose.yaml: {source} is not there")


def kubernetes() -> None:
    built = run("kubectl", "kustomize", DEPLOY / "kubernetes")
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(built)
        file.flush()
        told = run(TOOLS / "kubernetes-validate", "--strict", file.name)
    documents = list(yaml.safe_load_all(built))
    if told.count(" passed ") != len(documents):
        sys.exit(f"kubernetes: not every manifest was validated\n{told}")
    kinds = {document["kind"] for document in documents}
    for kind in ("StatefulSet", "PodDisruptionBudget", "NetworkPolicy", "Service", "ServiceAccount", "ConfigMap"):
        if kind not in kinds:
            sys.exit(f"kubernetes: there is no {kind}")
    pod = next(document for document in documents if document["kind"] == "StatefulSet")["spec"]["template"]["spec"]
    if pod["automountServiceAccountToken"] is not False or pod["securityContext"]["runAsNonRoot"] is not True:
        sys.exit("kubernetes: the pod has a token, or may be root")
    for container in pod["containers"] + pod["initContainers"]:
        pinned(container["image"], "kubernetes")
        context = container["securityContext"]
        locked = context["readOnlyRootFilesystem"] and not context["allowPrivilegeEscalation"]
        if not locked or context["capabilities"]["drop"] != ["ALL"]:
            sys.exit(f"kubernetes: the container {container['name']} is not locked")
        if any("secretKeyRef" in str(variable) for variable in container.get("env", [])):
            sys.exit("kubernetes: a secret is a file, never a variable")
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        if "healthcheck" not in pod["containers"][0][probe]["exec"]["command"]:
            sys.exit(f"kubernetes: the {probe} does not ask the program")


def rules() -> None:
    folder = DEPLOY / "prometheus"
    run("promtool", "check", "config", folder / "prometheus.yml")
    run("promtool", "test", "rules", "alerts.test.yml", cwd=folder)
    alerts = [rule for group in yaml.safe_load((folder / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
    tests = yaml.safe_load((folder / "alerts.test.yml").read_text())["tests"]
    fires, silent = set(), set()
    for test in tests:
        for case in test["alert_rule_test"]:
            (fires if case["exp_alerts"] else silent).add(case["alertname"])
    guide = (DEPLOY / "operating.md").read_text()
    for rule in alerts:
        name = rule["alert"]
        if name not in fires or name not in silent:
            sys.exit(f"alerts.test.yml: {name} is not shown to fire and to be silent")
        if f"\n#### {name}\n" not in guide or rule["annotations"]["runbook"] != f"deploy/operating.md#{name.lower()}":
            sys.exit(f"operating.md: {name} has no runbook")
    known = {rule["alert"] for rule in alerts}
    for name in re.findall(r"^#### (Prio\S+)$", guide, re.M):
        if name not in known:
            sys.exit(f"operating.md: no rule is named {name}")


def dashboards() -> None:
    for file in sorted((DEPLOY / "grafana").rglob("*")):
        if file.suffix == ".yaml":
            yaml.safe_load(file.read_text())
    dashboard = json.loads((DEPLOY / "grafana/dashboards/priorityd.json").read_text())
    ids = [panel["id"] for panel in dashboard["panels"]]
    if len(set(ids)) != len(ids) or not dashboard["uid"]:
        sys.exit("priorityd.json: ids of panels are not unique")
    # Grafana asks Prometheus; so does promtool, whether each question is one.
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    rules = {"groups": [{"name": "x", "rules": [{"record": f"x{at}", "expr": expr} for at, expr in enumerate(expressions)]}]}
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        yaml.safe_dump(rules, file)
        file.flush()
        run("promtool", "check", "rules", "--lint=none", file.name)


def unit() -> None:
    file = DEPLOY / "systemd/priorityd.service"
    with tempfile.TemporaryDirectory() as folder:
        # The program is not installed here; that there is one is all that is asked of it.
        stand_in = Path(folder) / "priorityd.service"
        stand_in.write_text(file.read_text().replace("/usr/bin/priorityd", "/bin/true"))
        told = run("systemd-analyze", "verify", "--man=no", stand_in)
        if "priorityd" in told:
            sys.exit(f"priorityd.service: {told}")
    told = run("systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager", file)
    print(told.strip().splitlines()[-1].strip())


for check in (dockerfile, context, compose, kubernetes, rules, dashboards, unit):
    check()
    print(f"deploy: {check.__name__} is in order")
