@NullMarked
package dev.hmacd.client.webhooks;

import org.jspecify.annotations.NullMarked;
