package dev.hmacd.client.webhooks;

import java.util.List;

/// The content of the headers of a received webhook.
///
/// @param macs the signatures, decoded; one of them must be right
record Delivery(Stamp stamp, List<byte[]> macs) {}
