package dev.hmacd.client;

import static java.util.concurrent.TimeUnit.NANOSECONDS;

import com.google.errorprone.annotations.ThreadSafe;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.grpc.ChannelCredentials;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import org.jspecify.annotations.Nullable;

/// The PEM files of mutual TLS, and the last good set of them. The files are read together at an
/// interval. A set that has changed, and is the same at the next read, is used if it is good.
/// Otherwise the last good set stays in use, and a warning is logged.
@ThreadSafe
final class TlsFiles implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(TlsFiles.class.getName());

  private final Path ca;
  private final Path certificate;
  private final Path key;
  private final InstantSource clock;
  private final ScheduledExecutorService reader =
      Executors.newSingleThreadScheduledExecutor(
          new DefaultThreadFactory("hmacd-client-tls-files", true));

  @GuardedBy("this")
  private PemSet inUse;

  /// The set of the last read, if it is not in use.
  @GuardedBy("this")
  private @Nullable PemSet seen;

  private volatile TlsCredentials credentials;
  private volatile String problem = "";
  private volatile Runnable onRenewal = () -> {};

  /// Reads the files.
  ///
  /// @throws IllegalArgumentException if the set is not good
  /// @throws UncheckedIOException if a file cannot be read
  TlsFiles(Path ca, Path certificate, Path key, InstantSource clock) {
    this.ca = ca;
    this.certificate = certificate;
    this.key = key;
    this.clock = clock;
    try {
      this.inUse = PemSet.read(ca, certificate, key);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    this.credentials = TlsCredentials.of(inUse, clock);
  }

  /// Starts to read the files at an interval.
  ///
  /// @param onRenewal runs after a new set is in use
  void start(Duration interval, Runnable onRenewal) {
    this.onRenewal = onRenewal;
    var unused =
        reader.scheduleWithFixedDelay(
            this::read, interval.toNanos(), interval.toNanos(), NANOSECONDS);
  }

  /// The credentials of the set in use.
  ChannelCredentials credentials() {
    return credentials.channel();
  }

  /// The end of the certificate in use.
  Instant certificateEnd() {
    return credentials.end();
  }

  /// Whether the certificate in use has expired.
  boolean hasExpired() {
    return credentials.end().isBefore(clock.instant());
  }

  /// Why the files are not in use, by the last read; empty if they are.
  String problem() {
    return problem;
  }

  /// Reads and checks the files now, without using them.
  ///
  /// @return what is wrong; empty if the set is good
  String check() {
    try {
      TlsCredentials.of(PemSet.read(ca, certificate, key), clock);
      return "";
    } catch (IOException | RuntimeException e) {
      return text(e);
    }
  }

  /// Reads the files on the thread of this object, uses a changed set at once if it is good, and
  /// then runs a task.
  void readNow(Runnable afterwards) {
    try {
      reader.execute(
          () -> {
            readAndUse();
            afterwards.run();
          });
    } catch (RejectedExecutionException e) { // The client is closed.
      afterwards.run();
    }
  }

  /// Reads the files, and uses a changed set that is the same at the second read.
  void read() {
    synchronized (this) {
      PemSet read = changed();
      if (read == null) {
        return;
      }
      PemSet before = seen;
      seen = read;
      if (before == null || !read.hasContentOf(before) || !use(read)) {
        return;
      }
    }
    onRenewal.run();
  }

  /// Reads the files, and uses a changed set at once.
  void readAndUse() {
    synchronized (this) {
      PemSet read = changed();
      if (read == null || !use(read)) {
        return;
      }
    }
    onRenewal.run();
  }

  @Override
  public void close() {
    reader.shutdownNow();
  }

  /// The content of the files if it is not in use; otherwise null.
  @GuardedBy("this")
  private @Nullable PemSet changed() {
    try {
      PemSet read = PemSet.read(ca, certificate, key);
      if (!read.hasContentOf(inUse)) {
        return read;
      }
      problem = "";
    } catch (IOException | RuntimeException e) {
      report(e);
    }
    seen = null;
    return null;
  }

  /// Uses a set if it is good.
  @GuardedBy("this")
  private boolean use(PemSet read) {
    try {
      credentials = TlsCredentials.of(read, clock);
    } catch (RuntimeException e) {
      report(e);
      return false;
    }
    inUse = read;
    seen = null;
    problem = "";
    return true;
  }

  /// Logs a problem once.
  private void report(Exception e) {
    String text = text(e);
    if (!problem.equals(text)) {
      problem = text;
      LOG.log(System.Logger.Level.WARNING, "TLS files not used: {0}", problem);
    }
  }

  private static String text(Exception e) {
    return e instanceof IOException
        ? "cannot read " + e.getMessage()
        : String.valueOf(e.getMessage());
  }
}
