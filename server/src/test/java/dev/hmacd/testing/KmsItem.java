package dev.hmacd.testing;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/// What of AWS KMS's behaviour a test shows: items of `kms-semantics.md`, by section and place in
/// it, e.g. `2.9`.
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.METHOD)
public @interface KmsItem {
  String[] value();
}
