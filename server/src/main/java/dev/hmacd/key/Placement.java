package dev.hmacd.key;

import java.util.Collection;
import java.util.List;
import java.util.stream.Stream;

/// The object of a key version, and the tokens that hold the object. Immutable.
///
/// @param object the object's label and id, which are the same on all tokens
/// @param tokenSerials serial numbers of the tokens that hold the object, one or more; the key
///   version was created or adopted on the first token
public record Placement(KeyObject object, List<String> tokenSerials) {
  public Placement {
    tokenSerials = List.copyOf(tokenSerials);
    if (tokenSerials.isEmpty()) {
      throw new IllegalArgumentException("object " + object + " must be on at least one token");
    }
  }

  /// Serial number of the token on which the object was created or adopted.
  public String firstSerial() {
    return tokenSerials.getFirst();
  }

  /// Serial numbers of the other tokens that hold the object.
  public List<String> otherSerials() {
    return tokenSerials.subList(1, tokenSerials.size());
  }

  /// The same object, held by additional tokens.
  public Placement alsoOn(Collection<String> more) {
    return on(Stream.concat(tokenSerials.stream(), more.stream()));
  }

  /// The same object, no longer held by the token `serial`. The first token is never removed.
  public Placement notOn(String serial) {
    return on(
        tokenSerials.stream().filter(each -> each.equals(firstSerial()) || !each.equals(serial)));
  }

  /// The same object, after one of its tokens got a new serial number.
  public Placement renamed(String before, String now) {
    return on(tokenSerials.stream().map(each -> each.equals(before) ? now : each));
  }

  private Placement on(Stream<String> serials) {
    return new Placement(object, serials.distinct().toList());
  }
}
