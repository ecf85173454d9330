@NullMarked
package dev.hmacd.ctl;

import org.jspecify.annotations.NullMarked;
