package dev.hmacd.client.webhooks;

/// The signed values beside the body, as in the headers. A value is empty if the format has none.
///
/// @param id the id of the webhook
/// @param time seconds since 1970, in digits
record Stamp(String id, String time) {
  static final Stamp NONE = new Stamp("", "");
}
