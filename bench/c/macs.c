/*
 * A minimal load on a token: threads with a session each, which call C_SignInit and C_Sign until the
 * end of the time. The program compares every MAC with the first one.
 *
 *   macs MODULE TOKEN-LABEL PIN-FILE KEY-LABEL token|session THREADS MESSAGE-BYTES SECONDS
 *
 * token uses the key's token object, session a copy of it in each session. The message consists of
 * 'm'. Prints one line of JSON. Latencies are in microseconds.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <p11-kit/pkcs11.h>

#define MAC_BYTES 32
#define MAX_THREADS 256
#define MAX_SLOTS 64
#define SAMPLES (1u << 20)

static CK_FUNCTION_LIST *p11;
static CK_SLOT_ID slot;
static const char *key_label;
static int copies;
static unsigned long message_bytes;
static uint64_t end;
static pthread_barrier_t ready;

struct lane {
  pthread_t thread;
  uint64_t count;
  uint32_t *nanos; /* Of the last SAMPLES calls. */
  unsigned char mac[MAC_BYTES];
};

static void die(const char *what, unsigned long code) {
  fprintf(stderr, "macs: %s: 0x%lx\n", what, code);
  exit(1);
}

static void check(const char *what, CK_RV rv) {
  if (rv != CKR_OK) {
    die(what, rv);
  }
}

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void load(const char *path) {
  void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (module == NULL) {
    fprintf(stderr, "macs: %s\n", dlerror());
    exit(1);
  }
  CK_C_GetFunctionList get_list;
  *(void **)&get_list = dlsym(module, "C_GetFunctionList");
  if (get_list == NULL) {
    die("no C_GetFunctionList", 0);
  }
  check("C_GetFunctionList", get_list(&p11));
  CK_C_INITIALIZE_ARGS arguments = {.flags = CKF_OS_LOCKING_OK};
  check("C_Initialize", p11->C_Initialize(&arguments));
}

static CK_SLOT_ID find_slot(const char *label) {
  CK_SLOT_ID slots[MAX_SLOTS];
  unsigned long count = MAX_SLOTS;
  check("C_GetSlotList", p11->C_GetSlotList(CK_TRUE, slots, &count));
  for (unsigned long i = 0; i < count; i++) {
    CK_TOKEN_INFO info;
    size_t length = strlen(label);
    if (p11->C_GetTokenInfo(slots[i], &info) == CKR_OK && length <= sizeof info.label &&
        memcmp(info.label, label, length) == 0 && (length == sizeof info.label || info.label[length] == ' ')) {
      return slots[i];
    }
  }
  die("no such token", 0);
  return 0;
}

static void login(CK_SESSION_HANDLE session, const char *pin_file) {
  char pin[256];
  FILE *file = fopen(pin_file, "r");
  if (file == NULL || fgets(pin, sizeof pin, file) == NULL) {
    die("no PIN", 0);
  }
  fclose(file);
  check("C_Login", p11->C_Login(session, CKU_USER, (unsigned char *)pin, strcspn(pin, "\n")));
}

static CK_SESSION_HANDLE open_session(void) {
  CK_SESSION_HANDLE session;
  check("C_OpenSession", p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session));
  return session;
}

static CK_OBJECT_HANDLE find_key(CK_SESSION_HANDLE session) {
  CK_OBJECT_CLASS class = CKO_SECRET_KEY;
  CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
  CK_ATTRIBUTE wanted[] = {{CKA_CLASS, &class, sizeof class},
                           {CKA_TOKEN, &yes, sizeof yes},
                           {CKA_LABEL, (void *)key_label, strlen(key_label)}};
  CK_OBJECT_HANDLE key;
  unsigned long found;
  check("C_FindObjectsInit", p11->C_FindObjectsInit(session, wanted, 3));
  check("C_FindObjects", p11->C_FindObjects(session, &key, 1, &found));
  check("C_FindObjectsFinal", p11->C_FindObjectsFinal(session));
  if (found != 1) {
    die("no such key", 0);
  }
  if (copies) {
    CK_ATTRIBUTE in_session = {CKA_TOKEN, &no, sizeof no};
    CK_OBJECT_HANDLE copy;
    check("C_CopyObject", p11->C_CopyObject(session, key, &in_session, 1, &copy));
    key = copy;
  }
  return key;
}

static void mac_of(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, unsigned char *message, unsigned char *mac) {
  CK_MECHANISM mechanism = {CKM_SHA256_HMAC, NULL, 0};
  unsigned long length = MAC_BYTES;
  check("C_SignInit", p11->C_SignInit(session, &mechanism, key));
  check("C_Sign", p11->C_Sign(session, message, message_bytes, mac, &length));
  if (length != MAC_BYTES) {
    die("length of the MAC", length);
  }
}

static void *run(void *argument) {
  struct lane *lane = argument;
  CK_SESSION_HANDLE session = open_session();
  CK_OBJECT_HANDLE key = find_key(session);
  unsigned char *message = malloc(message_bytes), mac[MAC_BYTES];
  lane->nanos = malloc(SAMPLES * sizeof lane->nanos[0]);
  if (message == NULL || lane->nanos == NULL) {
    die("no memory", 0);
  }
  memset(message, 'm', message_bytes);
  mac_of(session, key, message, lane->mac);
  lane->count = 1;
  pthread_barrier_wait(&ready); /* All threads have a key. */
  pthread_barrier_wait(&ready); /* The time starts. */
  for (uint64_t before = now(), after; before < end; before = after) {
    mac_of(session, key, message, mac);
    after = now();
    if (memcmp(mac, lane->mac, MAC_BYTES) != 0) {
      die("a MAC differs from the first", lane->count);
    }
    lane->nanos[lane->count++ % SAMPLES] = (uint32_t)(after - before);
  }
  free(message);
  return NULL;
}

static int ascending(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static double cpu(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv) {
  if (argc != 9) {
    fprintf(stderr, "usage: macs MODULE TOKEN-LABEL PIN-FILE KEY-LABEL token|session THREADS MESSAGE-BYTES SECONDS\n");
    return 2;
  }
  static struct lane lanes[MAX_THREADS];
  key_label = argv[4];
  copies = strcmp(argv[5], "session") == 0;
  unsigned long threads = strtoul(argv[6], NULL, 10);
  message_bytes = strtoul(argv[7], NULL, 10);
  double seconds = strtod(argv[8], NULL);
  if (threads < 1 || threads > MAX_THREADS) {
    die("threads", threads);
  }

  load(argv[1]);
  slot = find_slot(argv[2]);
  CK_SESSION_HANDLE session = open_session(); /* Keeps the login. */
  login(session, argv[3]);

  pthread_barrier_init(&ready, NULL, (unsigned)threads + 1);
  for (unsigned long i = 0; i < threads; i++) {
    pthread_create(&lanes[i].thread, NULL, run, &lanes[i]);
  }
  pthread_barrier_wait(&ready);
  double cpu_before = cpu();
  uint64_t start = now();
  end = start + (uint64_t)(seconds * 1e9);
  pthread_barrier_wait(&ready);
  for (unsigned long i = 0; i < threads; i++) {
    pthread_join(lanes[i].thread, NULL);
  }
  double took = (double)(now() - start) / 1e9, took_cpu = cpu() - cpu_before;

  uint64_t count = 0, samples = 0;
  uint32_t *nanos = malloc(threads * SAMPLES * sizeof nanos[0]);
  if (nanos == NULL) {
    die("no memory", 0);
  }
  for (unsigned long i = 0; i < threads; i++) {
    if (memcmp(lanes[i].mac, lanes[0].mac, MAC_BYTES) != 0) {
      die("threads have different MACs", i);
    }
    /* The first MAC of a thread is older than the start of the time, so its place may have no sample. */
    uint64_t from = lanes[i].count > SAMPLES ? 0 : 1, kept = lanes[i].count > SAMPLES ? SAMPLES : lanes[i].count - 1;
    memcpy(nanos + samples, lanes[i].nanos + from, kept * sizeof nanos[0]);
    samples += kept;
    count += lanes[i].count;
  }
  if (samples == 0) {
    die("no MAC in time", 0);
  }
  qsort(nanos, samples, sizeof nanos[0], ascending);
  printf("{\"signed\": %llu, \"calls\": %llu, \"seconds\": %.6f, \"cpu\": %.6f, \"p50\": %.3f, \"p99\": %.3f, "
         "\"p999\": %.3f, \"mac\": \"",
         (unsigned long long)count, (unsigned long long)(count - threads), took, took_cpu, nanos[samples / 2] / 1e3,
         nanos[samples * 99 / 100] / 1e3, nanos[samples * 999 / 1000] / 1e3);
  for (int i = 0; i < MAC_BYTES; i++) {
    printf("%02x", lanes[0].mac[i]);
  }
  printf("\"}\n");
  p11->C_Finalize(NULL);
  return 0;
}
