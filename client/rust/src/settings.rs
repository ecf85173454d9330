use std::env;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::Error;
use crate::target::Target;

const MAX_TARGETS: usize = 16;

/// The settings of a client.
///
/// Each method replaces a default. [`Client::new`](crate::Client::new) checks the values.
///
/// ```
/// use std::time::Duration;
/// use hmacd::Settings;
///
/// let settings = Settings::new(["hmacd-1.example.org:8443", "hmacd-2.example.org:8443"])
///     .tls("ca.pem", "client.pem", "client-key.pem")
///     .timeout(Duration::from_secs(2));
/// ```
#[derive(Clone, Debug)]
pub struct Settings {
    pub(crate) targets: Vec<String>,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) private_key: Option<PathBuf>,
    pub(crate) timeout: Duration,
    pub(crate) attempt_timeout: Duration,
    pub(crate) max_message_bytes: usize,
    pub(crate) file_interval: Duration,
    #[cfg(feature = "otel")]
    pub(crate) telemetry: crate::telemetry::Telemetry,
}

impl Settings {
    /// Settings with 1 to 16 targets, each `host:port` or `unix:/absolute/path`.
    pub fn new<T: Into<String>>(targets: impl IntoIterator<Item = T>) -> Settings {
        Settings {
            targets: targets.into_iter().map(Into::into).collect(),
            ca: None,
            certificate: None,
            private_key: None,
            timeout: Duration::from_secs(5),
            attempt_timeout: Duration::from_secs(1),
            max_message_bytes: 65_536,
            file_interval: Duration::from_secs(2),
            #[cfg(feature = "otel")]
            telemetry: Default::default(),
        }
    }

    /// Reads `HMACD_TARGET` (targets, separated by commas), `HMACD_CA`, `HMACD_CERT` and `HMACD_KEY`.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if `HMACD_TARGET` is not set, or a variable is not UTF-8.
    pub fn from_env() -> Result<Settings, Error> {
        let targets = variable("HMACD_TARGET")?.ok_or_else(|| Error::invalid("HMACD_TARGET: is not set"))?;
        let mut settings = Settings::new(targets.split(',').map(str::trim));
        settings.ca = variable("HMACD_CA")?.map(PathBuf::from);
        settings.certificate = variable("HMACD_CERT")?.map(PathBuf::from);
        settings.private_key = variable("HMACD_KEY")?.map(PathBuf::from);
        Ok(settings)
    }

    /// The paths of the PEM files. Required for `host:port`.
    ///
    /// `ca` has the authorities of the daemon. `certificate` has the client's certificate and its
    /// chain. `private_key` is PKCS#8, PKCS#1 or SEC1, and not encrypted.
    pub fn tls(
        mut self,
        ca: impl Into<PathBuf>,
        certificate: impl Into<PathBuf>,
        private_key: impl Into<PathBuf>,
    ) -> Settings {
        self.ca = Some(ca.into());
        self.certificate = Some(certificate.into());
        self.private_key = Some(private_key.into());
        self
    }

    /// The deadline of a call, if the caller has no earlier deadline: 1 ms to 1 h. Default: 5 s.
    pub fn timeout(mut self, timeout: Duration) -> Settings {
        self.timeout = timeout;
        self
    }

    /// The limit of one attempt while another target is usable: 1 ms to 1 h. Default: 1 s.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Settings {
        self.attempt_timeout = timeout;
        self
    }

    /// The maximum length of a message: 1 to 1,048,576 bytes. Default: 65,536, as in the daemon.
    pub fn max_message_bytes(mut self, bytes: usize) -> Settings {
        self.max_message_bytes = bytes;
        self
    }

    /// The period of the check of the PEM files: 1 s to 5 s. Default: 2 s.
    pub fn file_interval(mut self, interval: Duration) -> Settings {
        self.file_interval = interval;
        self
    }

    /// Records a span of each call. Default: none. `opentelemetry::global::tracer` returns a tracer.
    #[cfg(feature = "otel")]
    pub fn tracer(mut self, tracer: opentelemetry::global::BoxedTracer) -> Settings {
        self.telemetry.tracer = Some(std::sync::Arc::new(tracer));
        self
    }

    /// Records the histogram `rpc.client.duration`. Default: none.
    #[cfg(feature = "otel")]
    pub fn meter(mut self, meter: opentelemetry::metrics::Meter) -> Settings {
        self.telemetry.meter = Some(meter);
        self
    }

    /// Checks all values, and parses the targets.
    pub(crate) fn check(&self) -> Result<Vec<Target>, Error> {
        const MILLI: Duration = Duration::from_millis(1);
        const HOUR: Duration = Duration::from_secs(3600);
        if self.targets.is_empty() || self.targets.len() > MAX_TARGETS {
            return Err(Error::invalid(format!("targets: {} targets, must be 1 to {MAX_TARGETS}", self.targets.len())));
        }
        range("timeout", self.timeout, MILLI, HOUR)?;
        range("attempt_timeout", self.attempt_timeout, MILLI, HOUR)?;
        range("max_message_bytes", self.max_message_bytes, 1, 1 << 20)?;
        range("file_interval", self.file_interval, Duration::from_secs(1), Duration::from_secs(5))?;
        self.targets
            .iter()
            .map(|text| text.parse().map_err(|problem| Error::invalid(format!("targets: {text:?} {problem}"))))
            .collect()
    }
}

fn variable(name: &str) -> Result<Option<String>, Error> {
    match env::var(name) {
        Ok(value) => Ok(Some(value)),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(Error::invalid(format!("{name}: is not UTF-8"))),
    }
}

fn range<T: PartialOrd + std::fmt::Debug>(name: &str, value: T, min: T, max: T) -> Result<(), Error> {
    if value < min || value > max {
        return Err(Error::invalid(format!("{name}: {value:?}, must be {min:?} to {max:?}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_refused(settings: Settings, expected: &str) {
        let error = settings.check().unwrap_err();
        assert_eq!("INVALID_ARGUMENT", error.reason());
        assert_eq!(format!("INVALID_ARGUMENT: {expected} (no target, 0 attempts)"), error.to_string());
    }

    fn settings() -> Settings {
        Settings::new(["localhost:8443"])
    }

    #[test]
    fn defaults_and_bounds_are_accepted() {
        assert_eq!(1, settings().check().unwrap().len());
        assert_eq!(16, Settings::new(["a:1"; 16]).check().unwrap().len());
        settings().timeout(Duration::from_millis(1)).file_interval(Duration::from_secs(5)).check().unwrap();
        settings().max_message_bytes(1).check().unwrap();
        settings().max_message_bytes(1 << 20).attempt_timeout(Duration::from_secs(3600)).check().unwrap();
    }

    #[test]
    fn values_out_of_range_are_refused_with_name_and_value() {
        assert_refused(Settings::new::<String>([]), "targets: 0 targets, must be 1 to 16");
        assert_refused(Settings::new(["a:1"; 17]), "targets: 17 targets, must be 1 to 16");
        assert_refused(settings().timeout(Duration::ZERO), "timeout: 0ns, must be 1ms to 3600s");
        assert_refused(
            settings().attempt_timeout(Duration::MAX),
            &format!("attempt_timeout: {:?}, must be 1ms to 3600s", Duration::MAX),
        );
        for bytes in [0, (1 << 20) + 1] {
            let text = format!("max_message_bytes: {bytes}, must be 1 to 1048576");
            assert_refused(settings().max_message_bytes(bytes), &text);
        }
        assert_refused(settings().file_interval(Duration::from_millis(999)), "file_interval: 999ms, must be 1s to 5s");
        assert_refused(Settings::new(["localhost"]), "targets: \"localhost\" must be host:port or unix:/absolute/path");
    }
}
