"""Searches for native libraries of platforms other than this machine's: native_libraries.py FOLDER...

Reads all files of the folders, and the entries of jars. Prints each library of another system or
architecture, and fails if there is one, or if a folder has no native library at all.
"""

import io
import os
import platform
import sys
import zipfile

ELF_MACHINES = {"x86_64": 62, "aarch64": 183}
MACH_O = (b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xfe\xed\xfa\xcf", b"\xfe\xed\xfa\xce")
UNIVERSAL = b"\xca\xfe\xba\xbe"  # Also the first bytes of a Java class.
SUFFIXES = {".dll": "Windows", ".dylib": "macOS", ".jnilib": "macOS"}
# SQLite's folders in its jar. Some libraries of FreeBSD and musl do not differ in their header.
FOLDERS = ("FreeBSD", "Linux-Android", "Linux-Musl", "Mac", "Windows")


def system_of(name, data):
    """Returns the system and architecture of a native library, or None for another file."""
    suffix = os.path.splitext(name)[1]
    if suffix in SUFFIXES:
        return SUFFIXES[suffix]
    if data.startswith(b"MZ"):
        return "Windows"
    if data.startswith(MACH_O) or (data.startswith(UNIVERSAL) and suffix != ".class"):
        return "macOS"
    if data.startswith(b"\x7fELF"):
        folders = name.split("!")[-1].split("/")
        return next((folder for folder in FOLDERS if folder in folders), None) or elf_system(data)
    return "unknown" if suffix == ".so" else None


def elf_system(data):
    if data[7] not in (0, 3):  # EI_OSABI: System V or Linux.
        return f"ELF of operating system {data[7]}"
    if b"libc.musl-" in data:
        return "Linux with musl"
    machine = int.from_bytes(data[18:20], "little" if data[5] == 1 else "big")
    names = [name for name, number in ELF_MACHINES.items() if number == machine]
    return f"Linux {names[0] if names else machine}"


def libraries(name, data):
    """Yields the path and the system of each native library in a file, or in a jar in it."""
    if name.endswith((".jar", ".zip")):
        with zipfile.ZipFile(io.BytesIO(data)) as jar:
            for entry in jar.infolist():
                if not entry.is_dir():
                    yield from libraries(f"{name}!{entry.filename}", jar.read(entry))
    elif system := system_of(name, data):
        yield name, system


def libraries_of(folder):
    for parent, _, names in os.walk(folder):
        for name in sorted(names):
            path = os.path.join(parent, name)
            with open(path, "rb") as file:
                yield from libraries(path, file.read())


def main(folders):
    own = f"Linux {platform.machine()}"
    failed = False
    for folder in folders:
        found = list(libraries_of(folder))
        foreign = [library for library in found if library[1] != own]
        for path, system in foreign:
            print(f"{path}: {system}, not {own}")
        print(f"{folder}: {len(found)} native libraries, {len(foreign)} of another platform")
        failed = failed or bool(foreign) or not found
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
