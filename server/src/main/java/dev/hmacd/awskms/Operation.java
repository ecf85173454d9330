package dev.hmacd.awskms;

import dev.hmacd.usecase.Caller;

/// An operation of AWS KMS, with its input and its handler.
///
/// @param name the name in AWS, e.g. `GenerateMac`
record Operation(String name, Members input, Handler handler) {
  /// The handler of an operation.
  interface Handler {
    /// Calls the use case.
    ///
    /// @throws AwsException or [dev.hmacd.usecase.Refusal], for the error of the request
    void call(Caller caller, Input input, Answer answer);
  }

  /// An operation that is not served, for each input.
  static Operation refused(String name, AwsError error) {
    return new Operation(name, Members.of(), (_, _, answer) -> answer.refuse(error));
  }
}
