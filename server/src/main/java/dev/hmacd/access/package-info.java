/// Authorization: decides which principal may execute which action on which key.
@NullMarked
package dev.hmacd.access;

import org.jspecify.annotations.NullMarked;
