/// How much is logged.
@NullMarked
package dev.hmacd.log;

import org.jspecify.annotations.NullMarked;
