/// The daemon: `main`, what it is made of, and how it starts and ends.
@NullMarked
package dev.hmacd;

import org.jspecify.annotations.NullMarked;
