package dev.hmacd.client;

import java.util.List;

/// A page of a list.
///
/// @param items in the order of the whole list
/// @param nextPageToken token of the next page; empty for the last page
public record Page<T>(List<T> items, String nextPageToken) {
  public Page {
    items = List.copyOf(items);
  }
}
