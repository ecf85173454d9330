package dev.hmacd.ctl;

import java.io.InputStream;
import java.io.PrintStream;
import java.util.Map;

/// What a process has around it. Streams are UTF-8.
record Terminal(
    Map<String, String> environment, InputStream in, PrintStream out, PrintStream err) {}
