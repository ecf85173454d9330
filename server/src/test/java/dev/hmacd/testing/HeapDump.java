package dev.hmacd.testing;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_16BE;
import static java.nio.charset.StandardCharsets.UTF_16LE;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.Charset;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/// A dump of all objects in a JVM's heap, including unreachable objects, with a search for bytes in
/// several forms: raw, as chars, as hex or base64 text.
public final class HeapDump {
  /// The search uses parts of this size, so it also finds half of a secret. The base64 text of a
  /// part has no padding.
  private static final int PART = 15;

  private static final int SLOT_BITS = 16;
  private static final HexFormat HEX = HexFormat.of();

  private final byte[] dump;

  private HeapDump(byte[] dump) {
    this.dump = dump;
  }

  /// Writes the heap of a JVM of this user to a new file, without a garbage collection.
  public static HeapDump of(long pid, Path file) {
    Path jcmd = Path.of(System.getProperty("java.home"), "bin", "jcmd");
    try {
      Process process =
          new ProcessBuilder(
                  jcmd.toString(), Long.toString(pid), "GC.heap_dump", "-all", file.toString())
              .redirectErrorStream(true)
              .start();
      String output = new String(process.getInputStream().readAllBytes(), ISO_8859_1);
      if (process.waitFor() != 0 || !output.contains("Heap dump file created")) {
        throw new IllegalStateException(output);
      }
      return new HeapDump(Files.readAllBytes(file));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  /// Other bytes, for the same search.
  public static HeapDump ofBytes(byte[] bytes) {
    return new HeapDump(bytes);
  }

  /// The forms in which the heap contains the first or the last bytes of a value.
  ///
  /// @param value 15 bytes or more
  public Set<String> formsOf(byte[] value) {
    int last = (value.length - PART) / 3 * 3; // Start of a base64 group.
    Set<String> found = new TreeSet<>();
    search(forms(Arrays.copyOf(value, PART)), found);
    search(forms(Arrays.copyOfRange(value, last, last + PART)), found);
    return found;
  }

  private void search(Map<String, byte[]> forms, Set<String> found) {
    boolean[] begins = new boolean[1 << SLOT_BITS];
    forms.values().forEach(form -> begins[slot(head(form))] = true);
    int head = head(dump);
    for (int at = 0; at + Integer.BYTES < dump.length; at++) {
      if (begins[slot(head)]) {
        collect(forms, at, found);
      }
      head = (head << Byte.SIZE) | (dump[at + Integer.BYTES] & 0xff);
    }
  }

  private void collect(Map<String, byte[]> forms, int at, Set<String> found) {
    forms.forEach(
        (name, form) -> {
          int end = at + form.length;
          if (end <= dump.length && Arrays.equals(dump, at, end, form, 0, form.length)) {
            found.add(name);
          }
        });
  }

  /// The first four bytes.
  private static int head(byte[] bytes) {
    return ByteBuffer.wrap(bytes).getInt();
  }

  private static int slot(int head) {
    return (head * 0x9e3779b1) >>> (Integer.SIZE - SLOT_BITS);
  }

  /// HPROF has a `char[]` in big-endian order, and the `byte[]` of a String in native order.
  private static Map<String, byte[]> forms(byte[] part) {
    Map<String, String> texts =
        Map.of(
            "raw", new String(part, ISO_8859_1),
            "hex", HEX.formatHex(part),
            "HEX", HEX.withUpperCase().formatHex(part),
            "base64", Base64.getEncoder().encodeToString(part),
            "base64url", Base64.getUrlEncoder().encodeToString(part));
    Map<String, byte[]> forms = new HashMap<>();
    for (Charset charset : List.of(ISO_8859_1, UTF_16LE, UTF_16BE)) {
      texts.forEach((name, text) -> forms.put(name + " " + charset, text.getBytes(charset)));
    }
    return forms;
  }
}
