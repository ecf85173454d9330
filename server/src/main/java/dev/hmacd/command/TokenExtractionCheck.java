package dev.hmacd.command;

import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyObject;
import dev.hmacd.token.ExtractionAttempt;
import dev.hmacd.token.Pkcs11Token;
import dev.hmacd.token.TokenException;

/// Checks for `hmacd check` whether keys can be extracted from a token.
final class TokenExtractionCheck {
  private final Pkcs11Token token;
  private final Checklist list;

  TokenExtractionCheck(Pkcs11Token token, Checklist list) {
    this.token = token;
    this.list = list;
  }

  /// @param key label and id of a trial key, which the check creates and destroys
  void run(KeyObject key) {
    try {
      report(token.tryExtraction(key));
    } catch (TokenException e) {
      list.tolerated("key trial", String.valueOf(e.getMessage()));
    }
  }

  private void report(ExtractionAttempt.Result result) {
    var unfit = result.attributes().unfit();
    if (unfit.isPresent()) {
      list.tolerated("key trial", unfit.get().text());
    } else {
      list.passed("key trial", attributes(result.attributes()));
    }
    if (result.valueRevealed()) {
      list.tolerated(
          "value",
          "the token reveals CKA_VALUE of a sensitive key; report it to the vendor of the HSM");
    } else {
      list.passed("value", "the token does not reveal the value of a key");
    }
    if (result.copyLoosened()) {
      list.warned("copy", "a copy of a key can be extractable; " + consequence());
    } else {
      list.passed("copy", "no copy is less protected than its key");
    }
    if (!result.wrappedBy().isEmpty()) {
      list.warned(
          "wrapping",
          "the token wraps keys that are not extractable ("
              + String.join(", ", result.wrappedBy())
              + "); "
              + consequence());
    } else if (result.refusedBy().isEmpty()) {
      list.passed("wrapping", "the token wraps no keys under an AES key");
    } else {
      list.passed(
          "wrapping",
          "the token refuses to wrap a key that is not extractable: "
              + String.join(", ", result.refusedBy()));
    }
  }

  private static String consequence() {
    return "anyone with the PIN can extract every key: protect the PIN like the keys";
  }

  /// A text with the attributes that describe a key's protection.
  static String attributes(KeyAttributes read) {
    return "sensitive=%s extractable=%s always_sensitive=%s never_extractable=%s local=%s"
        .formatted(
            read.sensitive(),
            read.extractable(),
            read.alwaysSensitive(),
            read.neverExtractable(),
            read.local());
  }
}
