package dev.hmacd.file;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;

/// States of files, by which a changed file is detected.
public final class FileStates {
  private FileStates() {}

  /// The state of each file: its identity, size and modification time.
  public static List<String> of(List<Path> files) {
    List<String> states = new ArrayList<>();
    for (Path each : files) {
      try {
        var attributes = Files.readAttributes(each, BasicFileAttributes.class);
        states.add(
            attributes.fileKey() + " " + attributes.size() + " " + attributes.lastModifiedTime());
      } catch (IOException e) {
        states.add("unreadable");
      }
    }
    return states;
  }
}
