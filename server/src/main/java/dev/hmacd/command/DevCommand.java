package dev.hmacd.command;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

@Command(name = "dev")
public final class DevCommand implements Callable<Integer> {
  @Override
  public Integer call() {
    return 0;
  }
}
