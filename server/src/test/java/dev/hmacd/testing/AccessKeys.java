package dev.hmacd.testing;

import dev.hmacd.access.Principal;
import dev.hmacd.awskms.SigningKey;
import dev.hmacd.awskms.SigningKeys;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/// Access keys of a test: a user's id and secret follow from its name.
public final class AccessKeys implements SigningKeys {
  public static final String REGION = "eu-central-1";
  public static final String ACCOUNT = "123456789012";
  private static final String ID_START = "AKIATESTTEST";

  public static String arn(String user) {
    return "arn:aws:iam::" + ACCOUNT + ":user/" + user;
  }

  public static String id(String user) {
    return ID_START + user.toUpperCase(Locale.ROOT);
  }

  public static String secret(String user) {
    return "the secret of " + user;
  }

  @Override
  public CompletableFuture<Optional<SigningKey>> find(
      String accessKeyId, String day, long deadlineNanos) {
    return CompletableFuture.completedFuture(
        accessKeyId.startsWith(ID_START)
            ? Optional.of(key(accessKeyId.substring(ID_START.length()), day))
            : Optional.empty());
  }

  private static SigningKey key(String upperCaseUser, String day) {
    String user = upperCaseUser.toLowerCase(Locale.ROOT);
    return SigningKey.derive(new Principal(arn(user)), secret(user), day, REGION, "kms");
  }
}
