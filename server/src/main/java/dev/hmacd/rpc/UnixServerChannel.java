package dev.hmacd.rpc;

import io.netty.channel.Channel;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.PeerCredentials;
import java.io.IOException;

/// A listening Unix socket whose connections know who is at their other end: the address is all of a
/// connection that gRPC shows to a server.
final class UnixServerChannel extends EpollServerDomainSocketChannel {
  @Override
  protected Channel newChildChannel(int fd, byte[] address, int offset, int length) {
    return new Child(this, new FileDescriptor(fd));
  }

  private static final class Child extends EpollDomainSocketChannel {
    private final DomainSocketAddress peer;

    Child(Channel parent, FileDescriptor fd) {
      super(parent, fd);
      this.peer = peer();
    }

    private DomainSocketAddress peer() {
      try {
        PeerCredentials credentials = peerCredentials();
        return new UnixPeerAddress("", credentials.uid());
      } catch (IOException e) {
        // An address without a uid, which names no principal.
        return new DomainSocketAddress("");
      }
    }

    @Override
    public DomainSocketAddress remoteAddress() {
      return peer;
    }
  }
}
