use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::SystemTime;

use rustls::ClientConfig;
use tokio::sync::{OwnedMutexGuard, oneshot};

use crate::channel::Channel;
use crate::credentials::{Contents, Files};
use crate::error::Error;
use crate::renewal::Renewal;
use crate::target::Target;

/// The channels of a client, one for each target, and the credentials with which they connect.
pub(crate) struct Connections {
    targets: Vec<Target>,
    files: Option<Files>,
    read: fn(&Files) -> Result<Contents, Error>,
    /// Locked during a read of the files: a read can block, for example at a network file system. Then it
    /// is the only one.
    reading: Arc<tokio::sync::Mutex<()>>,
    state: Mutex<State>,
}

struct State {
    channels: Vec<Arc<Channel>>,
    tls: Option<Arc<ClientConfig>>,
    renewal: Option<Renewal>,
}

impl Connections {
    /// Reads and checks the files. Does not connect.
    pub fn open(targets: Vec<Target>, files: Option<Files>) -> Result<Connections, Error> {
        let (tls, renewal) = match &files {
            Some(files) => {
                let contents = files.read()?;
                (Some(files.config(&contents, SystemTime::now())?), Some(Renewal::new(contents)))
            }
            None => (None, None),
        };
        let channels = new_channels(&targets, tls.as_ref());
        let state = State { channels, tls, renewal };
        Ok(Connections { targets, files, read: Files::read, reading: Arc::default(), state: Mutex::new(state) })
    }

    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Whether the client has files to watch.
    pub fn has_files(&self) -> bool {
        self.files.is_some()
    }

    pub fn channel(&self, index: usize) -> Arc<Channel> {
        self.state().channels[index].clone()
    }

    /// The configuration of TLS for new connections.
    pub fn tls(&self) -> Option<Arc<ClientConfig>> {
        self.state().tls.clone()
    }

    /// Reads and checks the files on the disk, without a change of the channels.
    pub async fn check_files(&self) -> Result<(), Error> {
        let Some(files) = &self.files else { return Ok(()) };
        let lock = self.reading.clone().lock_owned().await;
        let (contents, _lock) = self.read_files(files, lock).await?;
        files.config(&contents, SystemTime::now()).map(drop)
    }

    /// Reads the files. If two reads in a row have the same new set, and it is good, new calls use new
    /// channels.
    pub async fn observe(&self) {
        let Some(files) = &self.files else { return };
        let lock = self.reading.clone().lock_owned().await;
        if let Ok((contents, _lock)) = self.read_files(files, lock).await {
            self.renew(files, &contents, Renewal::observe);
        }
    }

    /// Replaces the channel of a target after `UNAUTHENTICATED`, or all channels if the files have
    /// changed. Does nothing if another call replaced `used`.
    pub async fn reconnect(&self, index: usize, used: &Arc<Channel>) {
        if let Some(files) = &self.files {
            let lock = self.reading.clone().lock_owned().await;
            if !Arc::ptr_eq(&self.channel(index), used) {
                return;
            }
            if let Ok((contents, _lock)) = self.read_files(files, lock).await {
                self.renew(files, &contents, Renewal::force);
            }
        }
        let mut state = self.state();
        if Arc::ptr_eq(&state.channels[index], used) {
            state.channels[index] = Arc::new(Channel::new(used.target.clone(), state.tls.clone()));
        }
    }

    /// Replaces all channels. An old channel closes after its last call.
    pub fn disconnect(&self) {
        let mut state = self.state();
        state.channels = new_channels(&self.targets, state.tls.as_ref());
    }

    /// Reads the files. `lock` is that of `reading`: it stays locked until the end of the read, also if the
    /// caller does not wait.
    ///
    /// The thread is not one of tokio's: the shutdown of a runtime waits for its threads.
    async fn read_files(
        &self,
        files: &Files,
        lock: OwnedMutexGuard<()>,
    ) -> Result<(Contents, OwnedMutexGuard<()>), Error> {
        let (sender, receiver) = oneshot::channel();
        let (read, files) = (self.read, files.clone());
        let run = move || {
            // An error means that the caller does not wait.
            let _ = sender.send(read(&files).map(|contents| (contents, lock)));
        };
        let failed = || Error::invalid("files: no thread to read the files");
        thread::Builder::new().name("hmacd-files".to_owned()).spawn(run).map_err(|_| failed())?;
        receiver.await.unwrap_or_else(|_| Err(failed()))
    }

    /// Uses contents that are new and good. Others have no effect: `doctor` shows the reason.
    fn renew(&self, files: &Files, contents: &Contents, is_new: fn(&mut Renewal, &Contents) -> bool) {
        let mut state = self.state();
        if state.renewal.as_mut().is_some_and(|renewal| is_new(renewal, contents))
            && let Ok(tls) = files.config(contents, SystemTime::now())
        {
            state.channels = new_channels(&self.targets, Some(&tls));
            state.tls = Some(tls);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn new_channels(targets: &[Target], tls: Option<&Arc<ClientConfig>>) -> Vec<Arc<Channel>> {
    targets.iter().map(|target| Arc::new(Channel::new(target.clone(), tls.cloned()))).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs;
    use std::path::Path;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use rcgen::{CertificateParams, KeyPair};
    use tokio::time::timeout;

    use super::*;
    use crate::credentials::tests::make_fifo;
    use crate::settings::Settings;

    const LONG: Duration = Duration::from_secs(60);

    pub fn write_set(folder: &Path) {
        let keys = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["client".to_owned()]).unwrap().self_signed(&keys).unwrap();
        fs::write(folder.join("ca.pem"), certificate.pem()).unwrap();
        fs::write(folder.join("client.pem"), certificate.pem()).unwrap();
        fs::write(folder.join("key.pem"), keys.serialize_pem()).unwrap();
    }

    fn open(folder: &Path) -> Connections {
        let path = |name: &str| folder.join(name);
        let settings =
            Settings::new(["localhost:1", "unix:/socket"]).tls(path("ca.pem"), path("client.pem"), path("key.pem"));
        Connections::open(settings.check().unwrap(), Files::of(&settings, true).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn good_set_gets_new_channels_at_its_second_read() {
        let folder = tempfile::tempdir().unwrap();
        write_set(folder.path());
        let connections = open(folder.path());
        let old = connections.channel(0);
        connections.observe().await;
        write_set(folder.path());
        connections.observe().await;
        assert!(Arc::ptr_eq(&old, &connections.channel(0)));
        connections.observe().await;
        assert!(!Arc::ptr_eq(&old, &connections.channel(0)));
        connections.check_files().await.unwrap();
    }

    #[tokio::test]
    async fn bad_set_keeps_the_channels() {
        let folder = tempfile::tempdir().unwrap();
        write_set(folder.path());
        let connections = open(folder.path());
        let old = connections.channel(0);
        fs::write(folder.path().join("key.pem"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
        connections.observe().await;
        connections.observe().await;
        assert!(Arc::ptr_eq(&old, &connections.channel(0)));
        let problem = connections.check_files().await.unwrap_err().to_string();
        assert!(problem.contains("the key does not belong to the certificate"), "{problem}");
        fs::remove_file(folder.path().join("key.pem")).unwrap();
        connections.observe().await;
        assert!(Arc::ptr_eq(&old, &connections.channel(0)));
        write_set(folder.path());
        connections.observe().await;
        connections.observe().await;
        assert!(!Arc::ptr_eq(&old, &connections.channel(0)));
    }

    #[tokio::test]
    async fn reconnect_replaces_a_channel_once() {
        let folder = tempfile::tempdir().unwrap();
        write_set(folder.path());
        let connections = open(folder.path());
        let (used, other) = (connections.channel(0), connections.channel(1));
        connections.reconnect(0, &used).await;
        let new = connections.channel(0);
        assert!(!Arc::ptr_eq(&used, &new) && Arc::ptr_eq(&other, &connections.channel(1)));
        connections.reconnect(0, &used).await;
        assert!(Arc::ptr_eq(&new, &connections.channel(0)));
    }

    #[tokio::test]
    async fn reconnect_uses_changed_files_at_once() {
        let folder = tempfile::tempdir().unwrap();
        write_set(folder.path());
        let connections = open(folder.path());
        let (used, other) = (connections.channel(0), connections.channel(1));
        write_set(folder.path());
        connections.reconnect(0, &used).await;
        assert!(!Arc::ptr_eq(&other, &connections.channel(1)));
    }

    /// Opens and closes a FIFO for writing at its drop. So a blocked reader ends, if a test fails.
    struct Fifo(std::path::PathBuf);

    impl Drop for Fifo {
        fn drop(&mut self) {
            let _ = fs::OpenOptions::new().read(true).write(true).open(&self.0);
        }
    }

    #[tokio::test]
    async fn fifo_is_a_failed_check_and_blocks_no_call() {
        let folder = tempfile::tempdir().unwrap();
        write_set(folder.path());
        let connections = open(folder.path());
        let used = connections.channel(0);
        let path = folder.path().join("key.pem");
        fs::remove_file(&path).unwrap();
        make_fifo(&path);
        let _fifo = Fifo(path);
        timeout(LONG, connections.observe()).await.unwrap();
        timeout(LONG, connections.reconnect(0, &used)).await.unwrap();
        assert!(!Arc::ptr_eq(&used, &connections.channel(0)));
        let problem = timeout(LONG, connections.check_files()).await.unwrap().unwrap_err().to_string();
        assert!(problem.contains("key.pem\": not a regular file"), "{problem}");
    }

    /// A read that ends after the test permits it, as at a network file system without its server.
    static READS: AtomicUsize = AtomicUsize::new(0);
    static PERMIT: Barrier = Barrier::new(2);

    fn blocked_read(files: &Files) -> Result<Contents, Error> {
        READS.fetch_add(1, Ordering::SeqCst);
        PERMIT.wait();
        files.read()
    }

    #[test]
    fn read_that_does_not_end_is_the_only_one_and_no_runtime_waits_for_it() {
        let folder = tempfile::tempdir().unwrap();
        write_set(folder.path());
        let mut connections = open(folder.path());
        connections.read = blocked_read;
        let used = connections.channel(0);
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime().block_on(async {
            let short = Duration::from_millis(1);
            for _ in 0..3 {
                assert!(timeout(short, connections.reconnect(0, &used)).await.is_err());
                assert!(timeout(short, connections.observe()).await.is_err());
                assert!(timeout(short, connections.check_files()).await.is_err());
            }
        });
        assert!(READS.load(Ordering::SeqCst) <= 1);
        PERMIT.wait();
        let permits = thread::spawn(|| PERMIT.wait());
        runtime().block_on(async { timeout(LONG, connections.reconnect(0, &used)).await.unwrap() });
        permits.join().unwrap();
        assert_eq!(2, READS.load(Ordering::SeqCst));
        assert!(!Arc::ptr_eq(&used, &connections.channel(0)));
    }

    #[tokio::test]
    async fn late_reconnect_reads_no_files() {
        let folder = tempfile::tempdir().unwrap();
        write_set(folder.path());
        let connections = open(folder.path());
        let (used, other) = (connections.channel(0), connections.channel(1));
        connections.reconnect(0, &used).await;
        write_set(folder.path());
        connections.reconnect(0, &used).await;
        assert!(Arc::ptr_eq(&other, &connections.channel(1)));
    }
}
