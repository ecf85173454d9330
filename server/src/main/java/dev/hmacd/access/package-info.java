/// Authorization of principals, actions and keys. No other package decides it.
@NullMarked
package dev.hmacd.access;

import org.jspecify.annotations.NullMarked;
