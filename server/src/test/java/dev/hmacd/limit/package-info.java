@NullMarked
package dev.hmacd.limit;

import org.jspecify.annotations.NullMarked;
