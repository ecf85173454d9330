/// A client of hmacd, for MACs under keys in an HSM. Start at [dev.hmacd.client.HmacdClient].
@NullMarked
package dev.hmacd.client;

import org.jspecify.annotations.NullMarked;
