package dev.hmacd.awskms;

/// Upper limits of input members, from AWS's service model of KMS, version 2014-11-01
/// (docs/aws-kms-semantics.md, SHAPE-1 to SHAPE-16 and OP-29). The use cases have limits of their
/// own: a change of these limits must not change the answers of this edge.
final class ModelLimits {
  /// `KeyIdType`.
  static final int KEY_ID_CHARS = 2048;

  /// `PlaintextType`: the member `Message`.
  static final int MESSAGE_BYTES = 4096;

  /// `CiphertextType`: the members `Mac` and `Signature`.
  static final int CIPHERTEXT_BYTES = 6144;

  /// `DescriptionType`.
  static final int DESCRIPTION_CHARS = 8192;

  /// `TagKeyType`.
  static final int TAG_KEY_CHARS = 128;

  /// `TagValueType`.
  static final int TAG_VALUE_CHARS = 256;

  /// `MarkerType`.
  static final int MARKER_CHARS = 1024;

  /// `NumberOfBytesType`: random bytes of one call.
  static final int RANDOM_BYTES = 1024;

  private ModelLimits() {}
}
