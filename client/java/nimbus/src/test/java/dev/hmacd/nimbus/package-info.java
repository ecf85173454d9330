@NullMarked
package dev.hmacd.nimbus;

import org.jspecify.annotations.NullMarked;
