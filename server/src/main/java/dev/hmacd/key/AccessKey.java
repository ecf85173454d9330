package dev.hmacd.key;

import java.time.Instant;
import java.util.regex.Pattern;

/// An access key of a principal, used like an AWS access key to sign requests. The secret is not
/// stored: the HSM derives the secret from the id under one of the daemon's own keys.
///
/// @param id 20 characters that start with `HMAK`
/// @param principal the principal's name, as in access rules
/// @param created time of the creation, to the millisecond
/// @param active whether requests with this access key are accepted
public record AccessKey(String id, String principal, Instant created, boolean active) {
  public static final String PREFIX = "HMAK";

  private static final Pattern FORM = Pattern.compile(PREFIX + "[A-Z2-7]{16}");

  public AccessKey {
    if (!FORM.matcher(id).matches()) {
      throw new IllegalArgumentException("an access key id must match " + FORM);
    }
  }

  public AccessKey disabled() {
    return new AccessKey(id, principal, created, false);
  }
}
