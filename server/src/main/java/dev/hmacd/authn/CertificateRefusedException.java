package dev.hmacd.authn;

/// A client certificate that breaks a rule, and so has no principal.
final class CertificateRefusedException extends Exception {
  private static final long serialVersionUID = 1;

  private final Authentication.Refused reason;

  CertificateRefusedException(Authentication.Refused reason) {
    super(reason.name());
    this.reason = reason;
  }

  Authentication.Refused reason() {
    return reason;
  }
}
