/// `hmacctl`, the command-line client of hmacd.
@NullMarked
package dev.hmacd.ctl;

import org.jspecify.annotations.NullMarked;
