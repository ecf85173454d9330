package dev.hmacd.token;

/// An operation that a lane performs with its session.
public interface TokenWork<T> {
  T on(TokenSession session) throws TokenException;
}
