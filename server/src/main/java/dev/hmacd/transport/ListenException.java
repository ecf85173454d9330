package dev.hmacd.transport;

import dev.hmacd.config.HostPort;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Failure to listen on an address. The message has the address, the configuration key, the reason
/// and the remedy.
public final class ListenException extends IOException {
  private static final long serialVersionUID = 1;

  /// The message of EADDRINUSE: another process may end. The JDK and Netty report the error number
  /// as text only.
  private static final String IN_USE = "Address already in use";

  /// The message of EADDRNOTAVAIL: an interface may come up.
  private static final String NOT_AVAILABLE = "Cannot assign requested address";

  /// The start of Netty's messages: the system call, and the error number. The JDK has no such
  /// start.
  private static final Pattern CALL =
      Pattern.compile("^\\w+\\(\\.\\.\\) failed( with error\\(-?\\d+\\))?: ");

  /// The message of ENOENT: the folder of a Unix socket is missing.
  private static final String NO_FOLDER = "No such file or directory";

  /// The message of EACCES.
  private static final String DENIED = "Permission denied";

  private final boolean temporary;

  private ListenException(String message, boolean temporary, @Nullable Throwable cause) {
    super(message, cause);
    this.temporary = temporary;
  }

  /// A failure of bind(2) or listen(2).
  ///
  /// @param key the configuration key of the address
  /// @param address the configured address: an [InetSocketAddress], or the path of a Unix socket
  public static ListenException of(String key, Object address, Throwable failure) {
    String reason = reason(failure);
    boolean inUse = reason.contains(IN_USE);
    boolean notAvailable = reason.contains(NOT_AVAILABLE);
    String remedy = "";
    if (inUse) {
      remedy = "end the process that listens there, or ";
    } else if (notAvailable) {
      remedy = "add the address to a network interface, or ";
    } else if (reason.contains(NO_FOLDER)) {
      remedy = "create the folder, or ";
    } else if (reason.contains(DENIED)) {
      remedy =
          address instanceof InetSocketAddress
              ? "give the daemon CAP_NET_BIND_SERVICE (for ports below 1024), or "
              : "give the daemon's user write permission to the folder, or ";
    }
    return new ListenException(
        "cannot listen on " + text(address) + ": " + reason + "; " + remedy + "change " + key,
        inUse || notAvailable,
        failure);
  }

  /// A temporary failure: another process listens on the address.
  public static ListenException taken(String key, Object address) {
    return new ListenException(
        "another process listens on " + text(address) + "; end that process, or change " + key,
        true,
        null);
  }

  /// A permanent failure: the daemon cannot listen on the address until an operator acts.
  ///
  /// @param reason the fault and the remedy
  public static ListenException unusable(
      String key, Object address, String reason, @Nullable Throwable cause) {
    return new ListenException(
        "cannot listen on " + text(address) + " (" + key + "): " + reason, false, cause);
  }

  private static String text(Object address) {
    return address instanceof InetSocketAddress inet ? HostPort.text(inet) : address.toString();
  }

  /// The kernel's message: the message of the innermost cause, which is the same from the JDK and
  /// from Netty.
  private static String reason(Throwable failure) {
    String reason = String.valueOf(failure);
    for (Throwable each = failure; each != null; each = each.getCause()) {
      if (each.getMessage() != null) {
        reason = each.getMessage();
      }
    }
    if (reason.contains(IN_USE)) {
      return IN_USE;
    }
    // The case of the first letter differs.
    return reason.contains(NOT_AVAILABLE.substring(1))
        ? NOT_AVAILABLE
        : CALL.matcher(reason).replaceFirst("");
  }

  /// Whether a retry may succeed without action by an operator.
  public boolean isTemporary() {
    return temporary;
  }
}
