package dev.hmacd.registry;

import java.security.SecureRandom;
import java.sql.SQLException;
import java.time.Clock;
import java.time.Duration;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/// The tables `changes` and `registry`: revisions without gaps, and the entries of each change. Not
/// thread-safe.
///
/// Each change has a random nonce. A database that has a revision, but with another nonce, is on
/// another timeline: it was restored, or is a copy that went its own way.
final class ChangeLog {
  /// Changes are kept for at least this number of revisions, and this time.
  static final int KEPT_REVISIONS = 10_000;

  static final Duration KEPT_TIME = Duration.ofHours(1);

  /// Old changes are deleted once in this number of revisions.
  static final int PRUNE_INTERVAL = 256;

  private static final int NONCE_BYTES = 16;

  private final Clock clock;
  private final String account;
  private final SecureRandom random = new SecureRandom();

  /// @param account the account of all entries
  ChangeLog(Clock clock, String account) {
    this.clock = clock;
    this.account = account;
  }

  /// A point of a timeline.
  ///
  /// @param revision 0 or more
  /// @param nonce the nonce of the change with this revision; null before the first change that has
  ///   one
  record Position(long revision, @Nullable String nonce) {}

  /// The newest change of a database.
  static Position newest(Database db) throws SQLException {
    return db.query(
            "SELECT revision, nonce FROM registry",
            row -> new Position(row.getLong("revision"), row.getString("nonce")))
        .getFirst();
  }

  /// Whether a database has a change, or is at it. A change without a nonce is only known by its
  /// revision.
  static boolean contains(Database db, Position position) throws SQLException {
    Position newest = newest(db);
    if (position.nonce() == null) {
      return newest.revision() >= position.revision();
    }
    return newest.equals(position)
        || !db.query(
                "SELECT 1 FROM changes WHERE revision = ? AND nonce = ? LIMIT 1",
                row -> row.getInt(1),
                position.revision(),
                position.nonce())
            .isEmpty();
  }

  /// Takes the lock for writes before the first statement of a change: after a read, SQLite does
  /// not wait for the lock of another process.
  static void lock(Database db) throws SQLException {
    db.update("UPDATE registry SET singleton = 1");
  }

  /// Writes a change into `changes` and `registry`, as the last statements before its commit.
  Position append(Database db, Change change) throws SQLException {
    byte[] bytes = new byte[NONCE_BYTES];
    random.nextBytes(bytes);
    String nonce = HexFormat.of().formatHex(bytes);
    db.update("UPDATE registry SET revision = revision + 1, nonce = ?", nonce);
    Position position = newest(db);
    long now = clock.millis();
    for (ChangedEntry entry : change.entries()) {
      db.update(
          "INSERT INTO changes (revision, nonce, kind, account, id, changed_ms)"
              + " VALUES (?, ?, ?, ?, ?, ?)",
          position.revision(),
          nonce,
          entry.kind().name(),
          account,
          entry.id(),
          now);
    }
    if (position.revision() % PRUNE_INTERVAL == 0) {
      db.update(
          "DELETE FROM changes WHERE revision <= ? AND changed_ms < ?",
          position.revision() - KEPT_REVISIONS,
          now - KEPT_TIME.toMillis());
    }
    return position;
  }
}
