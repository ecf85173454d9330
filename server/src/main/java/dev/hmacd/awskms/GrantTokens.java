package dev.hmacd.awskms;

/// Grant tokens. There are no grants yet, so nobody issued any that a request could bring.
final class GrantTokens {
  private static final String NAME = "GrantTokens";
  static final Member MEMBER = Member.texts(NAME, 10, 1, 8192);

  private GrantTokens() {}

  /// Refuses a request that brings one.
  static void refuse(Input input) {
    if (!input.list(NAME).isEmpty()) {
      throw new AwsException(AwsError.of("InvalidGrantTokenException", null));
    }
  }
}
