package dev.hmacd.key;

import java.time.Instant;
import java.util.regex.Pattern;

/// Lets a principal sign requests, as an AWS access key does. Its secret is nowhere: the HSM
/// derives it from the id, under a key of the daemon's own.
///
/// @param id 20 characters, `HMAK` first
/// @param principal in the grammar of access rules
/// @param created to the millisecond
/// @param active whether it can be used
public record AccessKey(String id, String principal, Instant created, boolean active) {
  public static final String PREFIX = "HMAK";

  private static final Pattern FORM = Pattern.compile(PREFIX + "[A-Z2-7]{16}");

  public AccessKey {
    if (!FORM.matcher(id).matches()) {
      throw new IllegalArgumentException("an access key id matches " + FORM);
    }
  }

  AccessKey disabled() {
    return new AccessKey(id, principal, created, false);
  }
}
