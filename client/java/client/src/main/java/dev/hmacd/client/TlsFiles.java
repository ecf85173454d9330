package dev.hmacd.client;

import static java.util.concurrent.TimeUnit.NANOSECONDS;

import com.google.errorprone.annotations.ThreadSafe;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.grpc.ChannelCredentials;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileSystemException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/// The PEM files of mutual TLS, and the last good set of them. The files are read together at an
/// interval. A set that has changed, and is the same at the next read, is used if it is good.
/// Otherwise the last good set stays in use, and a warning is logged.
///
/// One thread reads the files. A read that does not end, for example of a file system without its
/// server, delays only the next reads: no other thread waits for it without a time limit.
@ThreadSafe
final class TlsFiles implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(TlsFiles.class.getName());

  private final Source source;
  private final InstantSource clock;
  private final ScheduledExecutorService reader;

  @GuardedBy("this")
  private PemSet inUse;

  /// The set of the last read, if it is not in use.
  @GuardedBy("this")
  private @Nullable PemSet seen;

  /// The tasks of the read of [#readNow] that has not begun; null if there is none.
  @GuardedBy("this")
  private @Nullable Set<Runnable> waiting;

  private volatile TlsCredentials credentials;
  private volatile String problem = "";
  private volatile Runnable onRenewal = () -> {};

  /// Reads the files.
  @FunctionalInterface
  interface Source {
    /// Reads the files together.
    ///
    /// @throws IllegalArgumentException if a file is not a regular file, or too long
    /// @throws IOException if a file cannot be read
    PemSet read() throws IOException;
  }

  private TlsFiles(
      Source source, InstantSource clock, ScheduledExecutorService reader, PemSet first) {
    this.source = source;
    this.clock = clock;
    this.reader = reader;
    this.inUse = first;
    this.credentials = TlsCredentials.of(first, clock);
  }

  /// Reads the files.
  ///
  /// @param limit limit of the time
  /// @throws IllegalArgumentException if the set is not good
  /// @throws UncheckedIOException if a file cannot be read in the time
  static TlsFiles open(Source source, InstantSource clock, Duration limit) {
    var reader =
        new ScheduledThreadPoolExecutor(
            1, new DefaultThreadFactory("hmacd-client-tls-files", true));
    reader.setRemoveOnCancelPolicy(true);
    try {
      return new TlsFiles(source, clock, reader, await(reader.submit(source::read), limit));
    } catch (IOException e) {
      reader.shutdownNow();
      throw new UncheckedIOException(e);
    } catch (RuntimeException | Error e) {
      reader.shutdownNow();
      throw e;
    }
  }

  /// Starts to read the files at an interval.
  ///
  /// @param onRenewal runs after a new set is in use
  void start(Duration interval, Runnable onRenewal) {
    this.onRenewal = onRenewal;
    var unused =
        reader.scheduleWithFixedDelay(
            () -> logged(this::read), interval.toNanos(), interval.toNanos(), NANOSECONDS);
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
  /// @param limit limit of the time
  /// @return what is wrong; empty if the set is good
  String check(Duration limit) {
    try {
      TlsCredentials.of(await(reader.submit(source::read), limit), clock);
      return "";
    } catch (RejectedExecutionException e) { // The client is closed.
      return "";
    } catch (IOException | RuntimeException e) {
      return text(e);
    }
  }

  /// Reads the files on the thread of this object, uses a changed set at once if it is good, and
  /// then runs a task. Calls share a read that has not begun.
  void readNow(Runnable afterwards) {
    synchronized (this) {
      if (waiting != null) {
        waiting.add(afterwards);
        return;
      }
      waiting = new LinkedHashSet<>(Set.of(afterwards));
    }
    try {
      reader.execute(this::readForWaiting);
    } catch (RejectedExecutionException e) { // The client is closed.
      takeWaiting().forEach(TlsFiles::logged);
    }
  }

  /// Does not run a task of [#readNow] that has not run.
  synchronized void forget(Runnable afterwards) {
    if (waiting != null) {
      waiting.remove(afterwards);
    }
  }

  private void readForWaiting() {
    Set<Runnable> tasks = takeWaiting();
    logged(this::readAndUse);
    tasks.forEach(TlsFiles::logged);
  }

  private synchronized Set<Runnable> takeWaiting() {
    Set<Runnable> tasks = waiting == null ? Set.of() : waiting;
    waiting = null;
    return tasks;
  }

  /// Reads the files, and uses a changed set that is the same at the second read.
  void read() {
    PemSet read = readSet();
    synchronized (this) {
      if (read == null || !isChanged(read)) {
        seen = null;
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
    PemSet read = readSet();
    synchronized (this) {
      if (read == null || !isChanged(read)) {
        seen = null;
        return;
      }
      if (!use(read)) {
        return;
      }
    }
    onRenewal.run();
  }

  @Override
  public void close() {
    reader.shutdownNow();
  }

  /// The content of the files; null if they cannot be read. Not under the lock: a read may never
  /// end.
  private @Nullable PemSet readSet() {
    try {
      return source.read();
    } catch (IOException | RuntimeException e) {
      report(e);
      return null;
    }
  }

  /// Whether a set is not in use. If it is in use, there is no problem.
  @GuardedBy("this")
  private boolean isChanged(PemSet read) {
    boolean changed = !read.hasContentOf(inUse);
    if (!changed) {
      problem = "";
    }
    return changed;
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
    return e instanceof FileSystemException
        ? "cannot read " + e.getMessage()
        : String.valueOf(e.getMessage());
  }

  /// Runs a task of the thread. After an exception, the thread still runs the next tasks.
  private static void logged(Runnable task) {
    try {
      task.run();
    } catch (RuntimeException | Error e) {
      LOG.log(System.Logger.Level.WARNING, "Renewal of the TLS files failed", e);
    }
  }

  private static PemSet await(Future<PemSet> read, Duration limit) throws IOException {
    try {
      return read.get(limit.toNanos(), NANOSECONDS);
    } catch (TimeoutException e) {
      read.cancel(false);
      throw new IOException(
          "the PEM files were not read in " + limit.toMillis() + " ms; check their file system", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("the thread was interrupted before the PEM files were read", e);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof IOException failure) {
        throw failure;
      }
      if (e.getCause() instanceof IllegalArgumentException failure) {
        throw failure;
      }
      throw new IllegalStateException("the PEM files were not read", e);
    }
  }
}
