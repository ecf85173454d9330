"""Tests of spans and durations, with the fake and the SDK of OpenTelemetry."""

import asyncio
import unittest

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from support import KEY, RUNNER

import hmacd
from hmacd import MacAlgorithm, _telemetry
from hmacd.testing import Fake, _Order


class TelemetryTest(unittest.TestCase):
    def setUp(self):
        self.spans, self.reader = InMemorySpanExporter(), InMemoryMetricReader()
        tracers, meters = TracerProvider(), MeterProvider([self.reader])
        tracers.add_span_processor(SimpleSpanProcessor(self.spans))
        self.addCleanup(tracers.shutdown)
        self.addCleanup(meters.shutdown)
        self.settings = {
            "timeout": 120,
            "tracer": tracers.get_tracer("test"),
            "meter": meters.get_meter("test"),
        }
        self.fake = self.enterContext(Fake({"secret-name": KEY}))
        self.client = self.enterContext(self.fake.client(**self.settings))
        self.key = self.client.key("secret-name", MacAlgorithm.HMAC_SHA_256)

    def durations(self):
        (resource,) = self.reader.get_metrics_data().resource_metrics
        (metric,) = resource.scope_metrics[0].metrics
        self.assertEqual(("rpc.client.duration", "ms"), (metric.name, metric.unit))
        return [(point.count, dict(point.attributes)) for point in metric.data.data_points]

    def test_call_has_a_span_and_a_duration(self):
        self.fake.fail("TOKEN_BUSY")
        self.key.generate(b"secret message")
        (span,) = self.spans.get_finished_spans()
        common = {
            "rpc.system": "grpc",
            "rpc.service": "hmacd.v1.MacService",
            "rpc.method": "GenerateMac",
            "server.address": self.fake.target.removeprefix("unix:"),
        }
        self.assertEqual("hmacd.v1.MacService/GenerateMac", span.name)
        self.assertEqual(SpanKind.CLIENT, span.kind)
        self.assertEqual(common | {"hmacd.attempts": 2}, dict(span.attributes))
        self.assertGreaterEqual(span.end_time, span.start_time)
        self.assertEqual([(1, common)], self.durations())

    def test_target_has_its_address_and_its_port(self):
        for target, attributes in {
            "hmacd.example.org:8443": {"server.address": "hmacd.example.org", "server.port": 8443},
            "[::1]:8443": {"server.address": "::1", "server.port": 8443},
            "unix:/run/hmacd.sock": {"server.address": "/run/hmacd.sock"},
        }.items():
            self.assertEqual(attributes, _telemetry.server(target))

    def test_error_has_its_reason(self):
        with self.assertRaises(hmacd.InvalidMac):
            self.key.verify(b"secret message", bytes(32))
        (span,) = self.spans.get_finished_spans()
        self.assertEqual("KMS_INVALID_MAC", span.attributes["error.type"])
        self.assertEqual(StatusCode.ERROR, span.status.status_code)
        self.assertEqual("KMS_INVALID_MAC", self.durations()[0][1]["error.type"])

    def test_unknown_reason_of_a_daemon_has_one_name(self):
        for reason in ("NEW_REASON", "CLOSED", "x" * 100):
            self.fake._add([_Order(reason)])
            with self.assertRaises(hmacd.HmacdError) as caught:
                self.key.generate(b"m")
            self.assertEqual("UNKNOWN" if reason == "CLOSED" else reason, caught.exception.reason)
        self.fake.fail("INTERNAL")
        self.assertRaises(hmacd.HmacdError, self.key.generate, b"m")
        types = [span.attributes["error.type"] for span in self.spans.get_finished_spans()]
        self.assertEqual(["UNKNOWN"] * 3 + ["INTERNAL"], types)
        counts = {point["error.type"]: count for count, point in self.durations()}
        self.assertEqual({"UNKNOWN": 3, "INTERNAL": 1}, counts)

    def test_cancelled_call_of_asyncio_has_its_reason(self):
        async def run():
            async with self.fake.aio_client(**self.settings) as client:
                call = client.key("secret-name", MacAlgorithm.HMAC_SHA_256).generate(b"m")
                task = asyncio.create_task(call)
                while self.fake.attempts == 0:
                    await asyncio.sleep(0.01)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

        self.fake.hang()
        RUNNER.run(run())
        (span,) = self.spans.get_finished_spans()
        self.assertEqual("CANCELLED", span.attributes["error.type"])

    def test_nothing_has_a_message_a_mac_or_the_name_of_a_key(self):
        mac = self.key.generate(b"secret message")
        self.key.verify(b"secret message", mac)
        everything = repr([span.to_json() for span in self.spans.get_finished_spans()])
        everything += repr(self.durations())
        for secret in ("secret message", "secret-name", mac.hex()):
            self.assertNotIn(secret, everything)


if __name__ == "__main__":
    unittest.main()
