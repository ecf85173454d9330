// Sends one command to a fault module, and prints its answer: drill SOCKET WORD...
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int count, char **words) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (count < 3 || strlen(words[1]) >= sizeof address.sun_path) {
    fputs("usage: drill SOCKET COMMAND...\n", stderr);
    return 2;
  }
  strcpy(address.sun_path, words[1]);
  int connection = socket(AF_UNIX, SOCK_STREAM, 0);
  if (connection < 0 || connect(connection, (struct sockaddr *)&address, sizeof address) != 0) {
    perror(words[1]);
    return 1;
  }
  for (int i = 2; i < count; i++) dprintf(connection, "%s%c", words[i], i + 1 < count ? ' ' : '\n');
  FILE *stream = fdopen(connection, "r");
  if (stream == NULL) return 1;
  char line[256];
  bool refused = false;
  bool first = true;
  while (fgets(line, sizeof line, stream) != NULL) {
    refused |= first && strncmp(line, "error", 5) == 0;
    first = false;
    fputs(line, refused ? stderr : stdout);
  }
  fclose(stream);
  return first || refused;
}
