package dev.hmacd.registry;

import dev.hmacd.registry.cache.EntryName;
import dev.hmacd.registry.cache.EntryName.Kind;
import dev.hmacd.registry.cache.Position;
import java.security.SecureRandom;
import java.sql.SQLException;
import java.time.Clock;
import java.time.Duration;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
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
  private final SecureRandom random = new SecureRandom();

  ChangeLog(Clock clock) {
    this.clock = clock;
  }

  /// The newest change of a database.
  static Position newest(Queries db) throws SQLException {
    return db.query(
            "SELECT revision, nonce FROM registry",
            row -> new Position(row.getLong("revision"), row.getString("nonce")))
        .getFirst();
  }

  /// Whether a database has a change, or is at it. A change without a nonce is only known by its
  /// revision.
  static boolean contains(Queries db, Position position) throws SQLException {
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

  /// Reads the entries of all changes after a position.
  ///
  /// @return null if the database does not have the position, or has deleted later changes
  static @Nullable List<EntryName> changedSince(Queries db, Position since) throws SQLException {
    Position newest = newest(db);
    if (newest.equals(since)) {
      return List.of();
    }
    if (!contains(db, since) || newest.revision() == since.revision()) {
      return null;
    }
    Set<Long> revisions = new HashSet<>();
    List<EntryName> changed =
        db.query(
            "SELECT revision, kind, account, id FROM changes WHERE revision > ?",
            row -> {
              revisions.add(row.getLong("revision"));
              return new EntryName(
                  kind(row.getString("kind")), row.getString("account"), row.getString("id"));
            },
            since.revision());
    return revisions.size() == newest.revision() - since.revision() ? changed : null;
  }

  /// The kind in a row of `changes`. A kind that this version does not know may concern any entry.
  private static Kind kind(String name) {
    for (Kind kind : Kind.values()) {
      if (kind.name().equals(name)) {
        return kind;
      }
    }
    return Kind.EVERYTHING;
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
    for (EntryName entry : change.entries()) {
      db.update(
          "INSERT INTO changes (revision, nonce, kind, account, id, changed_ms)"
              + " VALUES (?, ?, ?, ?, ?, ?)",
          position.revision(),
          nonce,
          entry.kind().name(),
          entry.account(),
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
