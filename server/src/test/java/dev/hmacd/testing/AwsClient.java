package dev.hmacd.testing;

import java.net.URI;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.retry.RetryMode;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.kms.KmsClient;

/// The KMS client of AWS's SDK for Java.
public final class AwsClient {
  private AwsClient() {}

  /// A client with the access key of a user, without retries.
  public static KmsClient of(LoopbackDaemon daemon, String user) {
    LoopbackDaemon.AccessKey key = daemon.accessKey(user);
    return KmsClient.builder()
        .endpointOverride(URI.create("http://127.0.0.1:" + daemon.awsPort()))
        .region(Region.of(LoopbackDaemon.REGION))
        .credentialsProvider(
            StaticCredentialsProvider.create(AwsBasicCredentials.create(key.id(), key.secret())))
        .httpClientBuilder(UrlConnectionHttpClient.builder())
        .overrideConfiguration(
            o -> o.retryStrategy(RetryMode.STANDARD).retryStrategy(r -> r.maxAttempts(1)))
        .build();
  }
}
