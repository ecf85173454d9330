/// Who may do what with which key: decided here and nowhere else.
@NullMarked
package dev.hmacd.access;

import org.jspecify.annotations.NullMarked;
