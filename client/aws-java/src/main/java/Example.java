import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.services.kms.KmsClient;
import software.amazon.awssdk.services.kms.model.KeySpec;
import software.amazon.awssdk.services.kms.model.KeyUsageType;
import software.amazon.awssdk.services.kms.model.KmsInvalidMacException;
import software.amazon.awssdk.services.kms.model.MacAlgorithmSpec;

/**
 * Generates and verifies a MAC with AWS's SDK, as with AWS KMS: {@code Example [KEY MESSAGE]}.
 *
 * <p>Without a key, it creates one. AWS_ENDPOINT_URL_KMS sets the endpoint of hmacd.
 * The file "env" of hmacd dev sets it, and also an access key and the region.
 */
final class Example {
  private static final MacAlgorithmSpec ALGORITHM = MacAlgorithmSpec.HMAC_SHA_256;

  private Example() {}

  public static void main(String[] arguments) {
    try (KmsClient kms = KmsClient.create()) {
      String keyId;
      String text;
      if (arguments.length == 2) {
        keyId = arguments[0];
        text = arguments[1];
      } else {
        keyId =
            kms.createKey(
                    r -> r.keySpec(KeySpec.HMAC_256).keyUsage(KeyUsageType.GENERATE_VERIFY_MAC))
                .keyMetadata()
                .keyId();
        text = "pay 100 EUR to account 4711";
        System.out.println("key " + keyId);
      }
      SdkBytes message = SdkBytes.fromString(text, StandardCharsets.UTF_8);

      SdkBytes mac =
          kms.generateMac(r -> r.keyId(keyId).message(message).macAlgorithm(ALGORITHM)).mac();
      System.out.println("mac " + HexFormat.of().formatHex(mac.asByteArray()));

      // An answer means that the MAC is correct. A wrong MAC is an exception.
      kms.verifyMac(r -> r.keyId(keyId).message(message).macAlgorithm(ALGORITHM).mac(mac));
      System.out.println("verified");

      SdkBytes changed = SdkBytes.fromString("not " + text, StandardCharsets.UTF_8);
      try {
        kms.verifyMac(r -> r.keyId(keyId).message(changed).macAlgorithm(ALGORITHM).mac(mac));
      } catch (KmsInvalidMacException e) { // Another exception does not mean that the MAC is wrong.
        System.out.println("refused " + e.awsErrorDetails().errorCode());
        return;
      }
      throw new IllegalStateException("a changed message was not refused");
    }
  }
}
