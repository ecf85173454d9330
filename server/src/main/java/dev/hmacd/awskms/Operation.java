package dev.hmacd.awskms;

import dev.hmacd.usecase.Call;
import dev.hmacd.usecase.Method;

/// An operation of AWS KMS, with its input and its handler.
///
/// @param name the name in AWS, e.g. `GenerateMac`
/// @param method the operation's name in metrics and logs
record Operation(String name, Method method, InputStructure input, Handler handler) {
  Operation(String name, InputStructure input, Handler handler) {
    this(name, Method.named(name), input, handler);
  }

  /// The handler of an operation.
  interface Handler {
    /// Calls the use case.
    ///
    /// @throws AwsException or [dev.hmacd.usecase.Refusal], with the error of the refused request
    void call(Call call, OperationInput input, AwsReply reply);
  }

  /// An operation that hmacd refuses for every input.
  static Operation refused(String name, AwsError error) {
    return new Operation(name, InputStructure.of(), (_, _, reply) -> reply.refuse(error));
  }
}
