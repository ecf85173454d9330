/// Authentication: maps the credentials of a call to the principal of the caller, for all edges.
@NullMarked
package dev.hmacd.authn;

import org.jspecify.annotations.NullMarked;
