// Generates and verifies a MAC with hmacd: example KEY MESSAGE
//
// The file "env" of hmacd dev sets the address and the certificates of hmacd in the environment.

#include <hmacd/hmacd.h>

#include <cstdio>
#include <iostream>

static void print_mac(const std::string &mac) {
  std::printf("mac ");
  for (const unsigned char byte : mac) std::printf("%02x", byte);
  std::printf("\n");
}

static void run(std::string_view key_name, const std::string &message) {
  hmacd::Client client(hmacd::Settings::from_env());
  const hmacd::Key key = client.open_key(key_name);
  const std::string mac = key.generate(message);
  print_mac(mac);
  key.verify(message, mac);
  std::printf("verified\n");
  try {
    key.verify("not " + message, mac);
    throw std::logic_error("a changed message was not refused");
  } catch (const hmacd::InvalidMac &refused) {
    std::printf("refused: %s\n", refused.what());
  }
}

int main(int argc, char **argv) {
  if (argc != 3) {
    std::cerr << "usage: example KEY MESSAGE\n";
    return 2;
  }
  try {
    run(argv[1], argv[2]);
  } catch (const std::exception &error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
