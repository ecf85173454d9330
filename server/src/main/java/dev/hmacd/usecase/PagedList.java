package dev.hmacd.usecase;

import dev.hmacd.key.Tag;

/// The lists that callers get in pages, with the sizes of the pages, as in AWS KMS.
public enum PagedList {
  KEYS(100, 1000),
  KEY_POLICIES(100, 1000),
  ALIASES(50, 100),
  TAGS(Tag.MAX_PER_KEY, Tag.MAX_PER_KEY),
  ACCESS_KEYS(100, 1000);

  private final int defaultSize;
  private final int maxSize;

  PagedList(int defaultSize, int maxSize) {
    this.defaultSize = defaultSize;
    this.maxSize = maxSize;
  }

  int defaultSize() {
    return defaultSize;
  }

  /// Maximum number of items in one page.
  public int maxSize() {
    return maxSize;
  }
}
