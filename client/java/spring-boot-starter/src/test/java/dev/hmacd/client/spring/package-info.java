@NullMarked
package dev.hmacd.client.spring;

import org.jspecify.annotations.NullMarked;
