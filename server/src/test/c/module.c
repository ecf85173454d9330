// The module that callers load: forwards every function of PKCS#11 2.40 to the real module.
//
// Its configuration is FILE.conf in the same folder: `module = PATH` of the real module, and `control = PATH` of the
// command socket. A process can load several of these modules from separate files.
#include "fault.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define PASS_ON(name, ...) \
  struct call call; \
  CK_RV rv = enter(&call, F_##name); \
  if (rv == CKR_OK) rv = real->name(__VA_ARGS__); \
  return leave(&call, rv)

// A function whose first parameter is the session; the others follow.
#define PASS_ON_IN(name, session, ...) \
  struct call call; \
  CK_RV rv = enter_session(&call, F_##name, session); \
  if (rv == CKR_OK) rv = real->name(call.session, __VA_ARGS__); \
  return leave(&call, rv)

#define PASS_ON_ALONE(name, session) \
  struct call call; \
  CK_RV rv = enter_session(&call, F_##name, session); \
  if (rv == CKR_OK) rv = real->name(call.session); \
  return leave(&call, rv)

// As before, with an object handle as a parameter, which is replaced by the real handle.
#define PASS_ON_WITH(name, session, object, ...) \
  struct call call; \
  CK_RV rv = enter_session(&call, F_##name, session); \
  if (rv == CKR_OK) rv = object_named(object, &object); \
  if (rv == CKR_OK) rv = real->name(call.session, __VA_ARGS__); \
  return leave(&call, rv)

// As before, for functions that create an object.
#define MAKE_IN(name, session, made, ...) \
  struct call call; \
  CK_RV rv = enter_session(&call, F_##name, session); \
  if (rv == CKR_OK) rv = real->name(call.session, __VA_ARGS__); \
  if (rv == CKR_OK) *made = object_given(*made); \
  return leave(&call, rv)

#define MAKE_WITH(name, session, object, made, ...) \
  struct call call; \
  CK_RV rv = enter_session(&call, F_##name, session); \
  if (rv == CKR_OK) rv = object_named(object, &object); \
  if (rv == CKR_OK) rv = real->name(call.session, __VA_ARGS__); \
  if (rv == CKR_OK) *made = object_given(*made); \
  return leave(&call, rv)

// --- The module and its slots ---

static CK_RV f_C_Initialize(CK_VOID_PTR arguments) {
  struct call call;
  CK_RV rv = enter(&call, F_C_Initialize);
  if (rv == CKR_OK) rv = may_initialize();
  if (rv == CKR_OK) rv = real->C_Initialize(arguments);
  if (rv == CKR_OK) initialized();
  return leave(&call, rv);
}

static CK_RV f_C_Finalize(CK_VOID_PTR reserved) {
  struct call call;
  CK_RV rv = enter(&call, F_C_Finalize);
  if (rv == CKR_OK) rv = may_finalize();
  if (rv == CKR_OK) rv = real->C_Finalize(reserved);
  if (rv == CKR_OK) rv = finalized();
  return leave(&call, rv);
}

static CK_RV f_C_GetInfo(CK_INFO_PTR info) { PASS_ON(C_GetInfo, info); }

static CK_RV f_C_GetSlotList(CK_BBOOL present, CK_SLOT_ID_PTR slots, CK_ULONG_PTR count) {
  struct call call;
  CK_RV rv = enter(&call, F_C_GetSlotList);
  if (rv == CKR_OK && present && token_is_removed()) {
    *count = 0;
  } else if (rv == CKR_OK) {
    rv = real->C_GetSlotList(present, slots, count);
  }
  return leave(&call, rv);
}

static CK_RV f_C_GetSlotInfo(CK_SLOT_ID slot, CK_SLOT_INFO_PTR info) {
  struct call call;
  CK_RV rv = enter(&call, F_C_GetSlotInfo);
  if (rv == CKR_OK) rv = real->C_GetSlotInfo(slot, info);
  if (rv == CKR_OK && token_is_removed()) info->flags &= ~CKF_TOKEN_PRESENT;
  return leave(&call, rv);
}

static CK_RV f_C_GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO_PTR info) { PASS_ON(C_GetTokenInfo, slot, info); }

static CK_RV f_C_GetMechanismList(CK_SLOT_ID slot, CK_MECHANISM_TYPE_PTR list, CK_ULONG_PTR count) {
  PASS_ON(C_GetMechanismList, slot, list, count);
}

static CK_RV f_C_GetMechanismInfo(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO_PTR info) {
  PASS_ON(C_GetMechanismInfo, slot, type, info);
}

static CK_RV f_C_InitToken(CK_SLOT_ID slot, CK_UTF8CHAR_PTR pin, CK_ULONG length, CK_UTF8CHAR_PTR label) {
  PASS_ON(C_InitToken, slot, pin, length, label);
}

static CK_RV f_C_InitPIN(CK_SESSION_HANDLE session, CK_UTF8CHAR_PTR pin, CK_ULONG length) {
  PASS_ON_IN(C_InitPIN, session, pin, length);
}

static CK_RV f_C_SetPIN(CK_SESSION_HANDLE session, CK_UTF8CHAR_PTR old, CK_ULONG old_length, CK_UTF8CHAR_PTR new,
                        CK_ULONG new_length) {
  PASS_ON_IN(C_SetPIN, session, old, old_length, new, new_length);
}

static CK_RV f_C_WaitForSlotEvent(CK_FLAGS flags, CK_SLOT_ID_PTR slot, CK_VOID_PTR reserved) {
  PASS_ON(C_WaitForSlotEvent, flags, slot, reserved);
}

// --- Sessions ---

static CK_RV f_C_OpenSession(CK_SLOT_ID slot, CK_FLAGS flags, CK_VOID_PTR application, CK_NOTIFY notify,
                             CK_SESSION_HANDLE_PTR session) {
  struct call call;
  CK_RV rv = enter(&call, F_C_OpenSession);
  if (rv == CKR_OK) rv = may_open();
  if (rv != CKR_OK) return leave(&call, rv);
  rv = real->C_OpenSession(slot, flags, application, notify, session);
  if (rv == CKR_OK) {
    *session = session_opened(*session);
  } else {
    not_opened();
  }
  return leave(&call, rv);
}

static CK_RV f_C_CloseSession(CK_SESSION_HANDLE session) {
  struct call call;
  CK_RV rv = enter_session(&call, F_C_CloseSession, session);
  if (rv == CKR_OK) rv = real->C_CloseSession(call.session);
  if (rv == CKR_OK) session_closed(&call);
  return leave(&call, rv);
}

static CK_RV f_C_CloseAllSessions(CK_SLOT_ID slot) {
  struct call call;
  CK_RV rv = enter(&call, F_C_CloseAllSessions);
  if (rv == CKR_OK) rv = real->C_CloseAllSessions(slot);
  if (rv == CKR_OK) all_sessions_closed();
  return leave(&call, rv);
}

static CK_RV f_C_GetSessionInfo(CK_SESSION_HANDLE session, CK_SESSION_INFO_PTR info) {
  PASS_ON_IN(C_GetSessionInfo, session, info);
}

static CK_RV f_C_GetOperationState(CK_SESSION_HANDLE session, CK_BYTE_PTR state, CK_ULONG_PTR length) {
  PASS_ON_IN(C_GetOperationState, session, state, length);
}

// Translates key handles other than 0. Callers that compute MACs do not call this function.
static CK_RV f_C_SetOperationState(CK_SESSION_HANDLE session, CK_BYTE_PTR state, CK_ULONG length,
                                   CK_OBJECT_HANDLE encryption, CK_OBJECT_HANDLE authentication) {
  struct call call;
  CK_RV rv = enter_session(&call, F_C_SetOperationState, session);
  if (rv == CKR_OK && encryption != 0) rv = object_named(encryption, &encryption);
  if (rv == CKR_OK && authentication != 0) rv = object_named(authentication, &authentication);
  if (rv == CKR_OK) rv = real->C_SetOperationState(call.session, state, length, encryption, authentication);
  return leave(&call, rv);
}

static CK_RV f_C_Login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin, CK_ULONG length) {
  struct call call;
  CK_RV rv = enter_session(&call, F_C_Login, session);
  if (rv == CKR_OK) rv = real->C_Login(call.session, user, pin, length);
  if (rv == CKR_USER_ALREADY_LOGGED_IN && !call.injected) needless_login();
  return leave(&call, rv);
}

static CK_RV f_C_Logout(CK_SESSION_HANDLE session) { PASS_ON_ALONE(C_Logout, session); }

static CK_RV f_C_GetFunctionStatus(CK_SESSION_HANDLE session) { PASS_ON_ALONE(C_GetFunctionStatus, session); }

static CK_RV f_C_CancelFunction(CK_SESSION_HANDLE session) { PASS_ON_ALONE(C_CancelFunction, session); }

// --- Objects ---

static CK_RV f_C_CreateObject(CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR template, CK_ULONG count,
                              CK_OBJECT_HANDLE_PTR object) {
  MAKE_IN(C_CreateObject, session, object, template, count, object);
}

static CK_RV f_C_CopyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR template,
                            CK_ULONG count, CK_OBJECT_HANDLE_PTR copy) {
  MAKE_WITH(C_CopyObject, session, object, copy, object, template, count, copy);
}

static CK_RV f_C_DestroyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object) {
  PASS_ON_WITH(C_DestroyObject, session, object, object);
}

static CK_RV f_C_GetObjectSize(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ULONG_PTR size) {
  PASS_ON_WITH(C_GetObjectSize, session, object, object, size);
}

static CK_RV f_C_GetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR template,
                                   CK_ULONG count) {
  PASS_ON_WITH(C_GetAttributeValue, session, object, object, template, count);
}

static CK_RV f_C_SetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR template,
                                   CK_ULONG count) {
  PASS_ON_WITH(C_SetAttributeValue, session, object, object, template, count);
}

static CK_RV f_C_FindObjectsInit(CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR template, CK_ULONG count) {
  PASS_ON_IN(C_FindObjectsInit, session, template, count);
}

static CK_RV f_C_FindObjects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE_PTR objects, CK_ULONG max,
                             CK_ULONG_PTR count) {
  struct call call;
  CK_RV rv = enter_session(&call, F_C_FindObjects, session);
  if (rv == CKR_OK) rv = real->C_FindObjects(call.session, objects, max, count);
  for (CK_ULONG i = 0; rv == CKR_OK && i < *count; i++) objects[i] = object_given(objects[i]);
  return leave(&call, rv);
}

static CK_RV f_C_FindObjectsFinal(CK_SESSION_HANDLE session) { PASS_ON_ALONE(C_FindObjectsFinal, session); }

// --- MACs ---

static CK_RV f_C_SignInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
  PASS_ON_WITH(C_SignInit, session, key, mechanism, key);
}

static CK_RV f_C_Sign(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG length, CK_BYTE_PTR signature,
                      CK_ULONG_PTR signature_length) {
  struct call call;
  CK_RV rv = enter_session(&call, F_C_Sign, session);
  bool too_long = rv == CKR_OK && message_is_too_long(length);
  if (too_long) rv = CKR_DATA_LEN_RANGE;
  if (call.injected || too_long) {
    // A failed C_Sign ends the operation, also in the real module.
    CK_BYTE lost[1024];
    CK_ULONG lost_length = sizeof lost;
    real->C_Sign(call.session, data, length, lost, &lost_length);
  } else if (rv == CKR_OK) {
    rv = real->C_Sign(call.session, data, length, signature, signature_length);
    if (rv == CKR_OK && signature != NULL && next_mac_is_wrong()) signature[0] ^= 1;
  }
  return leave(&call, rv);
}

static CK_RV f_C_SignUpdate(CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG length) {
  PASS_ON_IN(C_SignUpdate, session, part, length);
}

static CK_RV f_C_SignFinal(CK_SESSION_HANDLE session, CK_BYTE_PTR signature, CK_ULONG_PTR length) {
  struct call call;
  CK_RV rv = enter_session(&call, F_C_SignFinal, session);
  if (rv == CKR_OK) rv = real->C_SignFinal(call.session, signature, length);
  if (rv == CKR_OK && signature != NULL && next_mac_is_wrong()) signature[0] ^= 1;
  return leave(&call, rv);
}

static CK_RV f_C_SignRecoverInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
  PASS_ON_WITH(C_SignRecoverInit, session, key, mechanism, key);
}

static CK_RV f_C_SignRecover(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG length, CK_BYTE_PTR signature,
                             CK_ULONG_PTR signature_length) {
  PASS_ON_IN(C_SignRecover, session, data, length, signature, signature_length);
}

static CK_RV f_C_VerifyInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
  PASS_ON_WITH(C_VerifyInit, session, key, mechanism, key);
}

static CK_RV f_C_Verify(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG length, CK_BYTE_PTR signature,
                        CK_ULONG signature_length) {
  PASS_ON_IN(C_Verify, session, data, length, signature, signature_length);
}

static CK_RV f_C_VerifyUpdate(CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG length) {
  PASS_ON_IN(C_VerifyUpdate, session, part, length);
}

static CK_RV f_C_VerifyFinal(CK_SESSION_HANDLE session, CK_BYTE_PTR signature, CK_ULONG length) {
  PASS_ON_IN(C_VerifyFinal, session, signature, length);
}

static CK_RV f_C_VerifyRecoverInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
  PASS_ON_WITH(C_VerifyRecoverInit, session, key, mechanism, key);
}

static CK_RV f_C_VerifyRecover(CK_SESSION_HANDLE session, CK_BYTE_PTR signature, CK_ULONG length, CK_BYTE_PTR data,
                               CK_ULONG_PTR data_length) {
  PASS_ON_IN(C_VerifyRecover, session, signature, length, data, data_length);
}

// --- Other functions: ciphers, digests, dual-function operations ---

static CK_RV f_C_EncryptInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
  PASS_ON_WITH(C_EncryptInit, session, key, mechanism, key);
}

static CK_RV f_C_DecryptInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
  PASS_ON_WITH(C_DecryptInit, session, key, mechanism, key);
}

static CK_RV f_C_DigestInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism) {
  PASS_ON_IN(C_DigestInit, session, mechanism);
}

static CK_RV f_C_DigestUpdate(CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG length) {
  PASS_ON_IN(C_DigestUpdate, session, part, length);
}

static CK_RV f_C_DigestKey(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key) {
  PASS_ON_WITH(C_DigestKey, session, key, key);
}

// Functions with input and output bytes, and functions that return the last output bytes.
#define BYTES_TO_BYTES(name) \
  static CK_RV f_##name(CK_SESSION_HANDLE session, CK_BYTE_PTR in, CK_ULONG length, CK_BYTE_PTR out, \
                        CK_ULONG_PTR out_length) { \
    PASS_ON_IN(name, session, in, length, out, out_length); \
  }
#define LAST_BYTES(name) \
  static CK_RV f_##name(CK_SESSION_HANDLE session, CK_BYTE_PTR out, CK_ULONG_PTR length) { \
    PASS_ON_IN(name, session, out, length); \
  }

BYTES_TO_BYTES(C_Encrypt)
BYTES_TO_BYTES(C_EncryptUpdate)
LAST_BYTES(C_EncryptFinal)
BYTES_TO_BYTES(C_Decrypt)
BYTES_TO_BYTES(C_DecryptUpdate)
LAST_BYTES(C_DecryptFinal)
BYTES_TO_BYTES(C_Digest)
LAST_BYTES(C_DigestFinal)
BYTES_TO_BYTES(C_DigestEncryptUpdate)
BYTES_TO_BYTES(C_DecryptDigestUpdate)
BYTES_TO_BYTES(C_SignEncryptUpdate)
BYTES_TO_BYTES(C_DecryptVerifyUpdate)

// --- Keys and random numbers ---

static CK_RV f_C_GenerateKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_ATTRIBUTE_PTR template,
                             CK_ULONG count, CK_OBJECT_HANDLE_PTR key) {
  MAKE_IN(C_GenerateKey, session, key, mechanism, template, count, key);
}

static CK_RV f_C_GenerateKeyPair(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_ATTRIBUTE_PTR public,
                                 CK_ULONG public_count, CK_ATTRIBUTE_PTR private, CK_ULONG private_count,
                                 CK_OBJECT_HANDLE_PTR public_key, CK_OBJECT_HANDLE_PTR private_key) {
  struct call call;
  CK_RV rv = enter_session(&call, F_C_GenerateKeyPair, session);
  if (rv == CKR_OK) {
    rv = real->C_GenerateKeyPair(call.session, mechanism, public, public_count, private, private_count, public_key,
                                 private_key);
  }
  if (rv == CKR_OK) {
    *public_key = object_given(*public_key);
    *private_key = object_given(*private_key);
  }
  return leave(&call, rv);
}

static CK_RV f_C_WrapKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE wrapping,
                         CK_OBJECT_HANDLE key, CK_BYTE_PTR wrapped, CK_ULONG_PTR length) {
  struct call call;
  CK_RV rv = enter_session(&call, F_C_WrapKey, session);
  if (rv == CKR_OK) rv = object_named(wrapping, &wrapping);
  if (rv == CKR_OK) rv = object_named(key, &key);
  if (rv == CKR_OK) rv = real->C_WrapKey(call.session, mechanism, wrapping, key, wrapped, length);
  return leave(&call, rv);
}

static CK_RV f_C_UnwrapKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE unwrapping,
                           CK_BYTE_PTR wrapped, CK_ULONG length, CK_ATTRIBUTE_PTR template, CK_ULONG count,
                           CK_OBJECT_HANDLE_PTR key) {
  MAKE_WITH(C_UnwrapKey, session, unwrapping, key, mechanism, unwrapping, wrapped, length, template, count, key);
}

static CK_RV f_C_DeriveKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE base,
                           CK_ATTRIBUTE_PTR template, CK_ULONG count, CK_OBJECT_HANDLE_PTR key) {
  MAKE_WITH(C_DeriveKey, session, base, key, mechanism, base, template, count, key);
}

static CK_RV f_C_SeedRandom(CK_SESSION_HANDLE session, CK_BYTE_PTR seed, CK_ULONG length) {
  PASS_ON_IN(C_SeedRandom, session, seed, length);
}

static CK_RV f_C_GenerateRandom(CK_SESSION_HANDLE session, CK_BYTE_PTR bytes, CK_ULONG length) {
  PASS_ON_IN(C_GenerateRandom, session, bytes, length);
}

// --- Loading ---

static CK_FUNCTION_LIST functions;

#define OURS(name) .name = f_##name,
static CK_FUNCTION_LIST functions = {
    .version = {2, 40}, .C_GetFunctionList = C_GetFunctionList, FUNCTIONS(OURS)};
#undef OURS

static char module_path[1024];
static char control_path[1024];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool read_config(void) {
  Dl_info self;
  char path[1024];
  if (dladdr((void *)&functions, &self) == 0) return false;
  if (snprintf(path, sizeof path, "%s.conf", self.dli_fname) >= (int)sizeof path) return false;
  FILE *file = fopen(path, "r");
  if (file == NULL) {
    fprintf(stderr, "hmacd-fault: %s cannot be read\n", path);
    return false;
  }
  char line[1100];
  while (fgets(line, sizeof line, file) != NULL) {
    sscanf(line, "module = %1023[^\n]", module_path);
    sscanf(line, "control = %1023[^\n]", control_path);
  }
  fclose(file);
  return module_path[0] != '\0' && control_path[0] != '\0';
}

static void load(void) {
  if (!read_config()) return;
  void *library = dlopen(module_path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    fprintf(stderr, "hmacd-fault: %s\n", dlerror());
    return;
  }
  CK_C_GetFunctionList get;
  void *symbol = dlsym(library, "C_GetFunctionList");
  if (symbol == NULL) return;
  memcpy(&get, &symbol, sizeof get);
  if (get(&real) == CKR_OK) serve_control(control_path);
}

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list) {
  pthread_once(&once, load);
  if (real == NULL) return CKR_GENERAL_ERROR;
  *list = &functions;
  return CKR_OK;
}
