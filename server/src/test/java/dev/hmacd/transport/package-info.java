/// What both edges listen with.
@NullMarked
package dev.hmacd.transport;

import org.jspecify.annotations.NullMarked;
