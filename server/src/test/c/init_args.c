// A PKCS#11 module in front of another: adds an argument to C_Initialize (pReserved), which NSS and some other modules
// need. For tools without this option, such as pkcs11-tool.
//
//   INIT_ARGS_MODULE  the other module's path
//   INIT_ARGS         the argument
#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>

// The used parts of CK_C_INITIALIZE_ARGS and CK_FUNCTION_LIST (PKCS #11 v2.40).
struct initialize_args {
  void *mutexes[4];
  unsigned long flags;
  void *reserved;
};

struct function_list {
  unsigned char version[2];
  unsigned long (*initialize)(void *);
  void (*others[67])(void);
};

enum { OS_LOCKING_OK = 2, GENERAL_ERROR = 5 };

static unsigned long (*initialize)(void *);
static struct function_list list;

static unsigned long initialize_with_argument(void *given) {
  struct initialize_args args = {.flags = OS_LOCKING_OK};
  if (given != NULL) {
    args = *(struct initialize_args *)given;
  }
  args.reserved = getenv("INIT_ARGS");
  return initialize(&args);
}

unsigned long C_GetFunctionList(struct function_list **out) {
  const char *path = getenv("INIT_ARGS_MODULE");
  void *module = path == NULL ? NULL : dlopen(path, RTLD_NOW | RTLD_LOCAL);
  unsigned long (*get)(struct function_list **) = NULL;
  if (module != NULL) {
    *(void **)&get = dlsym(module, "C_GetFunctionList");
  }
  struct function_list *real = NULL;
  if (get == NULL || get(&real) != 0) {
    return GENERAL_ERROR;
  }
  list = *real;
  initialize = list.initialize;
  list.initialize = initialize_with_argument;
  *out = &list;
  return 0;
}
