package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.key.KeyObject;
import org.junit.jupiter.api.Test;

/// Handle reuse in one token, and across two tokens of one module.
final class HandlesTest {
  private static final KeyObject KEY = new KeyObject("key", "0a");
  private static final KeyObject OTHER = new KeyObject("other", "0b");

  private final Handles.OfModule module = new Handles.OfModule();
  private final Handles one = new Handles(module);
  private final Handles other = new Handles(module);

  /// PKCS#11 calls name a session and no token, so session handles are unique in a module.
  @Test
  void reusedSessionHandleEndsTheEpochOfAllTokens() throws TokenException {
    one.sessionOpened(5, 0);
    assertThatThrownBy(() -> other.sessionOpened(5, 0))
        .isInstanceOfSatisfying(
            TokenException.class, e -> assertThat(e.fault()).isEqualTo(TokenException.Fault.STALE));
    assertThatThrownBy(() -> one.enter(0)).isInstanceOf(TokenException.class);
    other.sessionOpened(5, 1);
  }

  /// openCryptoki numbers its objects from the start again after the end of the last session.
  @Test
  void keyHandleCanBeReusedAfterTheLastSession() throws TokenException {
    one.sessionOpened(1, 0);
    one.sessionOpened(2, 0);
    one.recordInUse(7, KEY, 0);
    one.sessionClosed(1, 0);
    one.sessionClosed(2, 0);
    one.sessionOpened(1, 0);
    one.recordInUse(7, OTHER, 0);
    assertThat(one.epoch()).isZero();
  }

  @Test
  void reusedKeyHandleEndsTheEpochWhileTheTokenHasAnotherSession() throws TokenException {
    one.sessionOpened(1, 0);
    one.sessionOpened(2, 0);
    other.sessionOpened(3, 0);
    one.recordInUse(7, KEY, 0);
    one.sessionClosed(1, 0);
    other.sessionClosed(3, 0);
    assertThatThrownBy(() -> one.recordInUse(7, OTHER, 0))
        .isInstanceOfSatisfying(
            TokenException.class, e -> assertThat(e.fault()).isEqualTo(TokenException.Fault.STALE));
    assertThat(one.epoch()).isEqualTo(1);
    one.sessionOpened(1, 1);
    one.recordInUse(7, OTHER, 1);
    one.sessionClosed(2, 0); // A session of the ended epoch.
    assertThatThrownBy(() -> one.recordHandle(7, KEY, 1)).isInstanceOf(TokenException.class);
  }

  /// Some modules number objects for each token: an equal handle does not end the epoch, but the
  /// key's name is read again.
  @Test
  void keyHandleThatAnotherTokenAlsoHasIsCommon() throws TokenException {
    one.recordInUse(7, KEY, 0);
    assertThat(one.isShared(7)).isFalse();
    other.recordHandle(7, OTHER, 0);
    assertThat(one.isShared(7)).isTrue();
    assertThat(one.isShared(8)).isFalse();
    assertThat(one.epoch()).isZero();
    one.endEpoch(0);
    assertThat(one.isShared(7)).isFalse();
  }

  @Test
  void searchOfAnotherTokenIsNoticed() {
    long before = one.finishedSearches();
    try (var _ = other.beginSearch()) {
      assertThat(one.searchedSince(before)).isTrue();
    }
    assertThat(one.searchedSince(one.finishedSearches())).isFalse();
  }
}
