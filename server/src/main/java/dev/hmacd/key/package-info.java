/// Values: names, specs, states and attributes of keys and access keys.
@NullMarked
package dev.hmacd.key;

import org.jspecify.annotations.NullMarked;
