/// A client of hmacd: MACs under keys that live in an HSM. Start at [dev.hmacd.client.HmacdClient].
@NullMarked
package dev.hmacd.client;

import org.jspecify.annotations.NullMarked;
