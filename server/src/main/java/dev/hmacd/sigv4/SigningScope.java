package dev.hmacd.sigv4;

/// The region and the service of a signing key: its credential scope without the day (AWS Signature
/// Version 4, "Deriving the signing key").
///
/// @param region e.g. `eu-central-1`
/// @param service e.g. `kms`
public record SigningScope(String region, String service) {
  /// The last element of every credential scope.
  static final String TERMINATOR = "aws4_request";

  /// The scope of requests to AWS KMS.
  public static SigningScope kms(String region) {
    return new SigningScope(region, "kms");
  }
}
