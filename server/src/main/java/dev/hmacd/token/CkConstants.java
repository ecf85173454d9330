package dev.hmacd.token;

/// Constants of PKCS #11 v3.1: object classes (CKO), key types (CKK), mechanisms (CKM) and
/// attributes (CKA). [Ckr] has the return codes.
final class CkConstants {
  static final long CKO_SECRET_KEY = 0x04;

  static final long CKK_GENERIC_SECRET = 0x10;
  static final long CKK_AES = 0x1f;
  static final long CKK_SHA256_HMAC = 0x2b;
  static final long CKK_SHA384_HMAC = 0x2c;
  static final long CKK_SHA512_HMAC = 0x2d;
  static final long CKK_SHA224_HMAC = 0x2e;

  static final long CKM_SHA256_HMAC = 0x251;
  static final long CKM_SHA224_HMAC = 0x256;
  static final long CKM_SHA384_HMAC = 0x261;
  static final long CKM_SHA512_HMAC = 0x271;
  static final long CKM_GENERIC_SECRET_KEY_GEN = 0x350;
  static final long CKM_AES_KEY_GEN = 0x1080;
  static final long CKM_SHA224_KEY_GEN = 0x4004;
  static final long CKM_SHA256_KEY_GEN = 0x4005;
  static final long CKM_SHA384_KEY_GEN = 0x4006;
  static final long CKM_SHA512_KEY_GEN = 0x4007;

  static final long CKA_CLASS = 0x00;
  static final long CKA_TOKEN = 0x01;
  static final long CKA_PRIVATE = 0x02;
  static final long CKA_LABEL = 0x03;
  static final long CKA_VALUE = 0x11;
  static final long CKA_KEY_TYPE = 0x100;
  static final long CKA_ID = 0x102;
  static final long CKA_SENSITIVE = 0x103;
  static final long CKA_ENCRYPT = 0x104;
  static final long CKA_DECRYPT = 0x105;
  static final long CKA_WRAP = 0x106;
  static final long CKA_UNWRAP = 0x107;
  static final long CKA_SIGN = 0x108;
  static final long CKA_VERIFY = 0x10a;
  static final long CKA_DERIVE = 0x10c;
  static final long CKA_VALUE_LEN = 0x161;
  static final long CKA_EXTRACTABLE = 0x162;
  static final long CKA_LOCAL = 0x163;
  static final long CKA_NEVER_EXTRACTABLE = 0x164;
  static final long CKA_ALWAYS_SENSITIVE = 0x165;
  static final long CKA_MODIFIABLE = 0x170;
  static final long CKA_ALLOWED_MECHANISMS = 0x40000600;

  private CkConstants() {}
}
