"""Tests native_libraries with files that have the first bytes of native libraries."""

import contextlib
import io
import os
import platform
import tempfile
import unittest
import zipfile

import native_libraries

OTHER = next(name for name in native_libraries.ELF_MACHINES if name != platform.machine())


def elf(machine=platform.machine(), system=0, text=b""):
    header = b"\x7fELF\x02\x01\x01" + bytes([system]) + bytes(10)
    return header + native_libraries.ELF_MACHINES[machine].to_bytes(2, "little") + bytes(44) + text


def jar(entries):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return file.getvalue()


FOREIGN = {
    "a library of another architecture": ("liba.so", elf(OTHER)),
    "a library of FreeBSD": ("liba.so", elf(system=9)),
    "a library of musl": ("liba.so", elf(text=b"libc.musl-x86_64.so.1")),
    "a library without an ELF header": ("liba.so", b"text"),
    "a library of macOS, by its name": ("liba.dylib", b""),
    "a JNI library of macOS, by its name": ("liba.jnilib", b""),
    "a library of macOS, by its first bytes": ("liba", b"\xcf\xfa\xed\xfe"),
    "a universal library of macOS": ("liba", b"\xca\xfe\xba\xbe"),
    "a library of Windows, by its name": ("a.dll", b""),
    "a library of Windows, by its first bytes": ("a", b"MZ"),
    "a library in a folder of musl": ("a.jar", jar({"org/sqlite/native/Linux-Musl/a/liba.so": elf()})),
    "a library in a jar": ("a.jar", jar({"META-INF/native/a.dll": b""})),
    "a library in a jar in a jar": ("a.jar", jar({"b.jar": jar({"liba.so": elf(OTHER)})})),
}
OWN = {
    "a library": ("liba.so", elf()),
    "a library in a jar": ("a.jar", jar({"org/sqlite/native/Linux/a/liba.so": elf(), "A.class": b"\xca\xfe\xba\xbe"})),
}


class NativeLibrariesTest(unittest.TestCase):
    def status(self, *files):
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            os.mkdir(os.path.join(folder, "lib"))
            for name, data in files:
                with open(os.path.join(folder, "lib", name), "wb") as file:
                    file.write(data)
            return native_libraries.main([folder])

    def test_own_platform(self):
        for name, file in OWN.items():
            with self.subTest(name):
                self.assertEqual(0, self.status(file, ("read.me", b"text")))

    def test_other_platform(self):
        for name, file in FOREIGN.items():
            with self.subTest(name):
                self.assertEqual(1, self.status(("own.so", elf()), file))

    def test_no_library(self):
        self.assertEqual(1, self.status(("read.me", b"text")))


if __name__ == "__main__":
    unittest.main()
