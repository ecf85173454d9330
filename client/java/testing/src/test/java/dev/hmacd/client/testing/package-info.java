@NullMarked
package dev.hmacd.client.testing;

import org.jspecify.annotations.NullMarked;
