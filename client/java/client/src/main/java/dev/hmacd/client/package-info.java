/// A client of hmacd, which computes and verifies MACs with keys in an HSM. Start at
/// [dev.hmacd.client.HmacdClient].
@NullMarked
package dev.hmacd.client;

import org.jspecify.annotations.NullMarked;
