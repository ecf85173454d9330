package dev.hmacd.rpc;

import io.netty.channel.unix.DomainSocketAddress;

/// The other end of a Unix socket, with the user id that the kernel vouches for (SO_PEERCRED).
final class UnixPeerAddress extends DomainSocketAddress {
  private static final long serialVersionUID = 1;

  private final int uid;

  UnixPeerAddress(String path, int uid) {
    super(path);
    this.uid = uid;
  }

  int uid() {
    return uid;
  }
}
