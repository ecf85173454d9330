package dev.hmacd.client;

/// An answer was damaged in transit. Only thrown by the decoders of answers, and caught by [Call].
final class DamagedAnswerException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final String what;

  DamagedAnswerException(String what) {
    super(what);
    this.what = what;
  }

  String what() {
    return what;
  }
}
