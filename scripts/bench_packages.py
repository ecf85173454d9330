"""The sizes and dependencies of the client packages, for scripts/bench-clients: ROOT BUILT NAME...

BUILT has the builds of scripts/bench-clients. Reads the lock files and module graphs. Prints a Markdown table.
"""

import dataclasses
import json
import pathlib
import re
import subprocess
import sys

ROOT, BUILT = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
CLIENT = ROOT / "client"


@dataclasses.dataclass(frozen=True)
class Size:
    """The package, and what it needs at runtime. Extras and optional features are excluded."""

    own: int  # Bytes.
    what: str  # What `own` and `whole` are the sizes of.
    whole: int  # Bytes, with all dependencies.
    direct: int
    dependencies: int


def output(*command, folder=ROOT):
    return subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout


def size(paths):
    return sum(path.stat().st_size for path in paths)


def files(folder):
    """The files of an installed package, without the bytecode that Python writes."""
    return [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]


def stripped(program):
    copy = BUILT / "stripped"
    output("strip", "-o", str(copy), str(program))
    return copy.stat().st_size


def cpp():
    """Its own dependencies are in hmacd.pc. The others are the shared libraries of the program."""
    requires = re.search(r"^Requires: (.*)$", (CLIENT / "cpp/cmake/hmacd.pc.in").read_text(), re.M)[1]
    program = BUILT / "cpp/cost/cost"
    libraries = re.findall(r"=> (\S+)", output("ldd", str(program)))
    # Those of the compiler and the C library are not dependencies of the package.
    libraries = [path for path in libraries if not re.match(r"lib(c|m|gcc_s|stdc\+\+)\.so", path.rpartition("/")[2])]
    archive = stripped(BUILT / "cpp/libhmacd.a")
    whole = stripped(program) + size(pathlib.Path(path).resolve() for path in libraries)
    direct = len(re.findall(r"[a-z+]+ >=", requires))
    return Size(archive, "static library; program with shared libraries", whole, direct, len(libraries))


def go():
    def go_list(form):
        return set(output("go", "list", "-deps", "-f", form, ".", folder=CLIENT / "go").split())

    modules = go_list("{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}")
    sources = go_list("{{with .Module}}{{if .Main}}{{range $.GoFiles}}{{$.Dir}}/{{.}} {{end}}{{end}}{{end}}")
    required = re.search(r"require \((.*?)\)", (CLIENT / "go/go.mod").read_text(), re.S)[1]  # Directly.
    direct = sum(f"\t{module} " in required for module in modules)
    program = stripped(BUILT / "go")
    return Size(size(map(pathlib.Path, sources)), "sources; program", program, direct, len(modules))


def java():
    jars = [pathlib.Path(each) for each in (CLIENT / "java/programs/target/classpath").read_text().strip().split(":")]
    own = [jar for jar in jars if jar.name.startswith(("hmacd-client-", "hmacd-proto-"))]
    pom = (CLIENT / "java/client/pom.xml").read_text()
    blocks = re.findall(r"<dependency>(.*?)</dependency>", pom, re.S)
    # The library of one architecture, of two.
    direct = {re.search(r"<artifactId>(.*?)<", block)[1] for block in blocks if "<scope>test<" not in block}
    return Size(size(own), "jars", size(jars), len(direct - {"hmacd-proto"}), len(jars) - len(own))


def node():
    folder = CLIENT / "node"
    lock = json.loads((folder / "package-lock.json").read_text())["packages"]
    # The lock file marks what only development needs.
    needed = [path for path, entry in lock.items() if path and not entry.get("dev") and not entry.get("devOptional")]
    own = size(files(folder / "dist"))
    whole = own + sum(size(files(folder / path)) for path in needed)
    return Size(own, "installed files", whole, len(lock[""]["dependencies"]), len(needed))


PYTHON = """
import importlib.metadata as metadata, json
from pip._vendor.packaging.requirements import Requirement

def dependencies(name):
    parsed = map(Requirement, metadata.requires(name) or ())
    return [each.name for each in parsed if each.marker is None or each.marker.evaluate({"extra": ""})]

found, waiting = set(), ["hmacd"]
while waiting:
    name = waiting.pop()
    if name not in found:
        found.add(name)
        waiting += dependencies(name)
sizes = {
    name: sum(file.locate().stat().st_size for file in metadata.files(name) if file.suffix != ".pyc") for name in found
}
print(json.dumps({"sizes": sizes, "direct": len(dependencies("hmacd"))}))
"""


def python():
    found = json.loads(output(CLIENT / "python/.venv/bin/python", "-c", PYTHON))
    sizes = found["sizes"]
    return Size(sizes["hmacd"], "installed files", sum(sizes.values()), found["direct"], len(sizes) - 1)


def rust():
    def tree(*options):
        lines = output(
            "cargo", "tree", "--locked", "--package", "hmacd", "--edges", "normal", "--prefix", "none",
            "--format", "{p}", *options, folder=CLIENT / "rust",
        )  # fmt: skip
        return {line.removesuffix(" (*)").split(" (")[0] for line in lines.splitlines()[1:] if line}

    program = stripped(CLIENT / "rust/target/release/hmacd-cost")
    direct, dependencies = tree("--depth", "1"), tree()
    return Size(
        size((CLIENT / "rust/src").rglob("*.rs")), "sources; program", program, len(direct), len(dependencies)
    )


def main():
    print(
        "\n`direct` and `all` are numbers of dependencies at runtime. The programs are those of the measurement, with"
        " the package and the stub.\n"
        "\n| language | package, KB | with dependencies, MB | of | direct | all |"
        "\n| --- | ---: | ---: | --- | ---: | ---: |"
    )
    for name in sys.argv[3:]:
        found = {"cpp": cpp, "go": go, "java": java, "node": node, "python": python, "rust": rust}[name]()
        print(
            f"| {name} | {found.own / 1e3:.0f} | {found.whole / 1e6:.1f} | {found.what}"
            f" | {found.direct} | {found.dependencies} |"
        )


if __name__ == "__main__":
    main()
