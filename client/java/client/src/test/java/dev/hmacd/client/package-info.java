@NullMarked
package dev.hmacd.client;

import org.jspecify.annotations.NullMarked;
