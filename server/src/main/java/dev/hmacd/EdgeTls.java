package dev.hmacd;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.hmacd.file.FileException;
import dev.hmacd.file.FileStates;
import dev.hmacd.transport.TlsContext;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The TLS files of one edge, and their state at the last successful load. Thread-safe.
final class EdgeTls {
  private static final Logger log = LoggerFactory.getLogger(EdgeTls.class);

  private final String edge;
  private final TlsContext context;

  /// The state of the files at their last successful load.
  @GuardedBy("this")
  private List<String> loaded = List.of();

  /// Whether the last reload failed.
  @GuardedBy("this")
  private boolean failed;

  /// @param edge the edge's section of the configuration
  EdgeTls(String edge, TlsContext context) {
    this.edge = edge;
    this.context = context;
  }

  /// Starts to read the files on a separate thread. Records their state before, so that no later
  /// change is missed.
  synchronized void startLoading() {
    loaded = FileStates.of(context.files());
    context.startLoading();
  }

  /// Whether the files have changed since they were read, the last reload failed, or a certificate
  /// authority of callers has expired or has become valid. A failed reload is retried, because an
  /// operator may correct the cause, such as wrong permissions, without a visible change of a file.
  synchronized boolean isOutdated() {
    return failed || context.isTrustOutdated() || !FileStates.of(context.files()).equals(loaded);
  }

  /// Reads the files again.
  ///
  /// @throws FileException if the new files cannot be used; the previous files stay in use
  synchronized void reload() throws FileException {
    List<String> states = FileStates.of(context.files());
    failed = true;
    context.reload();
    loaded = states;
    failed = false;
    log.atInfo()
        .addKeyValue("edge", edge)
        .addKeyValue("not_after", context.notAfter())
        .log("TLS files reloaded");
  }
}
