use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use rustls::ClientConfig;
use tokio::task::spawn_blocking;

use crate::channel::Channel;
use crate::credentials::{Contents, Files};
use crate::error::Error;
use crate::renewal::Renewal;
use crate::target::Target;

/// The channels of a client, one for each target, and the credentials with which they connect.
pub(crate) struct Connections {
    targets: Vec<Target>,
    files: Option<Files>,
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
        Ok(Connections { targets, files, state: Mutex::new(state) })
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
        let Some(files) = self.files.clone() else { return Ok(()) };
        let check = move || files.config(&files.read()?, SystemTime::now()).map(drop);
        spawn_blocking(check).await.unwrap_or_else(|_| Err(Error::closed("the runtime has ended")))
    }

    /// Reads the files. If two reads in a row have the same new set, and it is good, new calls use new
    /// channels.
    pub async fn observe(&self) {
        self.read(|renewal, contents| renewal.observe(contents)).await;
    }

    /// Replaces the channel of a target after `UNAUTHENTICATED`, or all channels if the files have
    /// changed. Does nothing if another call replaced `used`.
    pub async fn reconnect(&self, index: usize, used: &Arc<Channel>) {
        self.read(|renewal, contents| renewal.force(contents)).await;
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

    async fn read(&self, is_new: impl FnOnce(&mut Renewal, &Contents) -> bool) {
        let Some(files) = self.files.clone() else { return };
        let reader = files.clone();
        // A set that is not complete or not good has no effect. `doctor` shows the reason.
        let Ok(Ok(contents)) = spawn_blocking(move || reader.read()).await else { return };
        let mut state = self.state();
        if state.renewal.as_mut().is_some_and(|renewal| is_new(renewal, &contents))
            && let Ok(tls) = files.config(&contents, SystemTime::now())
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

    use rcgen::{CertificateParams, KeyPair};

    use super::*;
    use crate::settings::Settings;

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
}
