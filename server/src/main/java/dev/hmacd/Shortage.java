package dev.hmacd;

/// A limit of the process that is too low for the bounds of the configuration.
///
/// @param problem the message for the log and for `hmacd check`
/// @param limit the limit, with its unit
/// @param needed what the bounds need, with its unit
/// @param remedy what the operator can change
public record Shortage(String problem, String limit, String needed, String remedy) {
  public String text() {
    return problem + ": limit " + limit + ", needed " + needed + "; " + remedy;
  }
}
