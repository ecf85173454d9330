package dev.hmacd.ctl;

import java.io.InputStream;
import java.io.PrintStream;
import java.util.Map;

/// The environment and the standard streams of a process. Streams are UTF-8.
record Terminal(
    Map<String, String> environment, InputStream in, PrintStream out, PrintStream err) {}
