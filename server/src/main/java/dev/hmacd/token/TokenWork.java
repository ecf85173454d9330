package dev.hmacd.token;

/// What a lane does with its session.
public interface TokenWork<T> {
  T on(TokenSession session) throws TokenException;
}
