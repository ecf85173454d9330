package dev.hmacd.command;

import java.util.Set;

final class CheckCommand implements Command {
  @Override
  public Set<String> options() {
    return Set.of("--config");
  }

  @Override
  public int run(Arguments arguments) {
    return 0;
  }
}
