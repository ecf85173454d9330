package dev.hmacd.awskms;

/// The input member `GrantTokens`. hmacd has no grants yet, so no grant token is valid.
final class GrantTokens {
  private static final String NAME = "GrantTokens";
  static final InputMember MEMBER = InputMember.texts(NAME, 10, 1, 8192);

  private GrantTokens() {}

  /// Refuses a request with a grant token.
  static void refuse(OperationInput input) {
    if (!input.list(NAME).isEmpty()) {
      throw new AwsException(AwsError.of("InvalidGrantTokenException", null));
    }
  }
}
