/// The use cases of all edges, and everything that can go wrong with them.
@NullMarked
package dev.hmacd.mac;

import org.jspecify.annotations.NullMarked;
