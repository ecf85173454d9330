@NullMarked
package dev.hmacd.jca;

import org.jspecify.annotations.NullMarked;
