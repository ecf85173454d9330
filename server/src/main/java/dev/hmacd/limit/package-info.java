/// Quotas that limit how much of a shared resource one owner can use, and the fair order of owners
/// at a token.
@NullMarked
package dev.hmacd.limit;

import org.jspecify.annotations.NullMarked;
