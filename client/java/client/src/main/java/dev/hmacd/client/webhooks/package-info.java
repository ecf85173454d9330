/// Signs and verifies webhooks in the formats of GitHub, Stripe, Slack and Standard Webhooks. Start
/// at [dev.hmacd.client.webhooks.WebhookScheme].
@NullMarked
package dev.hmacd.client.webhooks;

import org.jspecify.annotations.NullMarked;
