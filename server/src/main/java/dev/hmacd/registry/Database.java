package dev.hmacd.registry;

import com.google.errorprone.annotations.CheckReturnValue;
import dev.hmacd.registry.RegistryException.Kind;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.sqlite.JDBC;
import org.sqlite.SQLiteConfig;
import org.sqlite.SQLiteErrorCode;
import org.sqlite.SQLiteOpenMode;

/// An SQLite connection with migrations, in plain JDBC. Not thread-safe: one thread at a time.
///
/// A change is on the disk when its commit returns (write-ahead log, `synchronous=FULL`), so a
/// crash loses no answered change.
final class Database implements Queries, AutoCloseable {
  /// Maximum wait of a statement for the lock of another process, e.g. of a backup.
  private static final int BUSY_TIMEOUT_MILLIS = 2000;

  static final FileAttribute<?> OWNER_ONLY =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));

  /// Migrations of the schema, oldest first. `PRAGMA user_version` is the number of applied
  /// migrations.
  private static final List<String> MIGRATIONS =
      List.of("V1.sql", "V2.sql", "V3.sql", "V4.sql", "V5.sql", "V6.sql");

  private final Connection connection;

  private Database(Connection connection) {
    this.connection = connection;
  }

  /// Opens the database, and creates a missing file with mode 0600.
  ///
  /// @throws RegistryException `FOREIGN` if the file is not a registry, or is a registry of a newer
  ///   hmacd; the file stays unchanged
  static Database open(Path file) throws IOException, SQLException {
    try {
      // SQLite accepts an empty file as a new database. SQLite creates the other files of the
      // database with the mode of this file.
      Files.createFile(file, OWNER_ONLY);
    } catch (FileAlreadyExistsException e) {
      // The operator decides the permissions of an existing file.
    }
    return connect(file, new SQLiteConfig());
  }

  /// An empty database in memory, without a file.
  static Database inMemory() throws SQLException {
    return connect(Path.of(":memory:"), new SQLiteConfig());
  }

  /// As [#open], but fails if the file is missing.
  static Database reopen(Path file) throws SQLException {
    var settings = new SQLiteConfig();
    settings.resetOpenMode(SQLiteOpenMode.CREATE);
    return connect(file, settings);
  }

  private static Database connect(Path file, SQLiteConfig settings) throws SQLException {
    // The code calls the driver directly, because DriverManager would search every jar for drivers.
    Connection connection = new JDBC().connect("jdbc:sqlite:" + file, settings.toProperties());
    try (Statement statement = connection.createStatement()) {
      statement.execute("PRAGMA busy_timeout=" + BUSY_TIMEOUT_MILLIS);
      requireRegistry(statement, file);
      statement.execute("PRAGMA journal_mode=WAL");
      statement.execute("PRAGMA synchronous=FULL");
      statement.execute("PRAGMA foreign_keys=ON");
      connection.setAutoCommit(false);
      var database = new Database(connection);
      database.migrate();
      return database;
    } catch (SQLException | RuntimeException e) {
      connection.close();
      throw e;
    }
  }

  /// Refuses a file of another program or of a newer hmacd, without a write to the file.
  private static void requireRegistry(Statement statement, Path file) throws SQLException {
    try {
      int version = number(statement, "PRAGMA user_version");
      int tables = number(statement, "SELECT count(*) FROM sqlite_master");
      if (version > MIGRATIONS.size()) {
        throw new RegistryException(
            Kind.FOREIGN,
            RegistryFile.PREFIX
                + "the registry "
                + file
                + " was written by a newer hmacd (schema version "
                + version
                + "): install the newer hmacd");
      }
      if (version == 0 && tables > 0) {
        throw new RegistryException(
            Kind.FOREIGN,
            RegistryFile.PREFIX
                + "the registry "
                + file
                + " is a database of another program: change registry.path");
      }
    } catch (SQLException e) {
      if (e.getErrorCode() == SQLiteErrorCode.SQLITE_NOTADB.code) {
        throw new RegistryException(
            Kind.FOREIGN,
            RegistryFile.PREFIX
                + "the registry "
                + file
                + " is not a SQLite database: change registry.path",
            e);
      }
      throw e;
    }
  }

  private static int number(Statement statement, String sql) throws SQLException {
    try (ResultSet rows = statement.executeQuery(sql)) {
      return rows.getInt(1);
    }
  }

  /// Runs the missing migrations in one transaction, which in SQLite can also change the schema.
  private void migrate() throws SQLException {
    int applied = query("PRAGMA user_version", row -> row.getInt(1)).getFirst();
    for (int i = applied; i < MIGRATIONS.size(); i++) {
      try (Statement statement = connection.createStatement()) {
        for (String sql : script(MIGRATIONS.get(i)).split(";", -1)) {
          if (!sql.isBlank()) {
            statement.execute(sql);
          }
        }
        statement.execute("PRAGMA user_version=" + (i + 1));
      } catch (SQLException e) {
        connection.rollback();
        throw e;
      }
    }
    connection.commit();
  }

  private static String script(String name) {
    try (InputStream in = Database.class.getResourceAsStream(name)) {
      if (in == null) {
        throw new IllegalStateException("resource missing from the program's jar: " + name);
      }
      // A semicolon in a comment must not separate statements, so comments are removed.
      return new String(in.readAllBytes(), StandardCharsets.UTF_8).replaceAll("(?m)--.*$", "");
    } catch (IOException e) {
      throw new IllegalStateException("resource of the program's jar not readable: " + name, e);
    }
  }

  @Override
  @CheckReturnValue
  public <T> List<T> query(String sql, RowReader<T> reader, @Nullable Object... arguments)
      throws SQLException {
    try (PreparedStatement statement = prepare(sql, arguments);
        ResultSet rows = statement.executeQuery()) {
      List<T> result = new ArrayList<>();
      while (rows.next()) {
        result.add(reader.read(rows));
      }
      return result;
    }
  }

  /// Returns the number of rows that changed.
  int update(String sql, @Nullable Object... arguments) throws SQLException {
    try (PreparedStatement statement = prepare(sql, arguments)) {
      return statement.executeUpdate();
    }
  }

  private PreparedStatement prepare(String sql, @Nullable Object... arguments) throws SQLException {
    PreparedStatement statement = connection.prepareStatement(sql);
    try {
      for (int i = 0; i < arguments.length; i++) {
        statement.setObject(i + 1, arguments[i]);
      }
      return statement;
    } catch (SQLException e) {
      statement.close();
      throw e;
    }
  }

  void commit() throws SQLException {
    connection.commit();
  }

  void rollback() throws SQLException {
    connection.rollback();
  }

  @Override
  public void close() throws SQLException {
    connection.close();
  }
}
