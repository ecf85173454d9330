package dev.hmacd.awskms;

import dev.hmacd.mac.Caller;

/// An operation of AWS KMS: what it takes, and what is done with it.
///
/// @param name as AWS has it, e.g. `GenerateMac`
record Operation(String name, Members input, Handler handler) {
  /// What an operation does with a request.
  interface Handler {
    /// Hands it to a use case.
    ///
    /// @throws AwsException or [dev.hmacd.mac.Refusal], as an answer
    void call(Caller caller, Input input, Answer answer);
  }

  /// An operation that is not served, whatever the request says.
  static Operation refused(String name, AwsError error) {
    return new Operation(name, Members.of(), (_, _, answer) -> answer.refuse(error));
  }
}
