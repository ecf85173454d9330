package dev.hmacd.transport;

import io.netty.handler.codec.http2.Http2Settings;

/// Limit on the changes of an encoder's header table by the client of one connection
/// (`SETTINGS_HEADER_TABLE_SIZE`; RFC 9113, section 6.5.2). Netty keeps up to 6 bytes for each
/// change, until the next header block tells the client of all changes. All methods run on the
/// connection's event loop.
public final class HeaderTableChanges {
  /// Maximum number of changes of the table size on one connection. In practice, a client changes
  /// the size once, at the start of the connection.
  public static final int MAX = 100;

  private int changes;

  /// Counts the change in a SETTINGS frame, if the frame has one.
  ///
  /// @return whether the number of changes is within the limit
  public boolean permits(Http2Settings settings) {
    if (settings.headerTableSize() != null) {
      changes++;
    }
    return changes <= MAX;
  }
}
