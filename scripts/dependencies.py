"""Reads a bill of materials (CycloneDX, JSON), for scripts/dependencies.

dependencies.py pom SBOM             prints a POM with all dependencies, for the Maven plugin versions
dependencies.py report SBOM UPDATES  prints a table; UPDATES is the plugin's list of newer versions
"""

import json
import re
import sys
from xml.sax.saxutils import escape

UPDATE = re.compile(r"^\s*(\S+:\S+) \.+\s+(\S+) -> (\S+)\s*$")


def dependencies(sbom):
    """Returns {(group, name, version): licenses}, without hmacd's own modules."""
    found = {}
    for component in sbom.get("components", []):
        if component.get("group") != "dev.hmacd":
            found[(component["group"], component["name"], component["version"])] = licenses(component)
    return dict(sorted(found.items()))


def licenses(component):
    names = []
    for entry in component.get("licenses", []):
        declared = entry.get("license", {})
        names.append(entry.get("expression") or declared.get("id") or declared.get("name") or "unknown")
    return ", ".join(names) or "unknown"


def updates(text):
    """Returns {(group:name, version): newest version}."""
    lines = map(UPDATE.match, text.splitlines())
    return {(line[1], line[2]): line[3] for line in lines if line}


def pom(found):
    print("<project><modelVersion>4.0.0</modelVersion>")
    print("<groupId>dev.hmacd</groupId><artifactId>dependencies</artifactId><version>1</version>")
    print("<packaging>pom</packaging><dependencies>")
    for group, name, version in found:
        print(
            f"<dependency><groupId>{escape(group)}</groupId><artifactId>{escape(name)}</artifactId>"
            f"<version>{escape(version)}</version></dependency>"
        )
    print("</dependencies></project>")


def report(found, newer):
    rows = [("dependency", "version", "newest", "license")]
    for (group, name, version), license in found.items():
        rows.append((f"{group}:{name}", version, newer.get((f"{group}:{name}", version), version), license))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    for row in rows:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[3]]))
    outdated = sum(row[1] != row[2] for row in rows[1:])
    print(f"{len(found)} dependencies, {outdated} with a newer version")


def main():
    with open(sys.argv[2], encoding="utf-8") as file:
        found = dependencies(json.load(file))
    if not found:
        sys.exit(f"{sys.argv[2]} has no dependencies")
    if sys.argv[1] == "pom":
        pom(found)
    else:
        with open(sys.argv[3], encoding="utf-8") as file:
            report(found, updates(file.read()))


if __name__ == "__main__":
    main()
