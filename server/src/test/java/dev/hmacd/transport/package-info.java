/// Tests of the shared transport of both edges.
@NullMarked
package dev.hmacd.transport;

import org.jspecify.annotations.NullMarked;
