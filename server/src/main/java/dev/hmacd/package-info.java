/// The daemon: `main`, its parts, its start and its stop.
@NullMarked
package dev.hmacd;

import org.jspecify.annotations.NullMarked;
