use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::der;

/// Verifies the certificate of a daemon as rustls does, and also the validity of its authority. rustls
/// ignores the end of an authority.
#[derive(Debug)]
pub(crate) struct Authorities {
    provider: Arc<CryptoProvider>,
    all: Arc<WebPkiServerVerifier>,
    roots: Vec<(TrustAnchor<'static>, Option<SystemTime>)>,
}

impl Authorities {
    /// Takes one authority or more. They may have expired: another one can have issued the certificate.
    pub fn new(
        certificates: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Authorities, &'static str> {
        let mut store = RootCertStore::empty();
        let ends: Vec<_> = certificates.iter().map(|certificate| der::not_after(certificate)).collect();
        for certificate in certificates {
            store.add(certificate).map_err(|_| "a certificate is malformed")?;
        }
        let roots = store.roots.iter().cloned().zip(ends).collect();
        let all = verifier(store, &provider).ok_or("no usable certificate")?;
        Ok(Authorities { provider, all, roots })
    }
}

fn verifier(roots: RootCertStore, provider: &Arc<CryptoProvider>) -> Option<Arc<WebPkiServerVerifier>> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().ok()
}

impl ServerCertVerifier for Authorities {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.all.verify_server_cert(certificate, intermediates, name, ocsp_response, now)?;
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(now.as_secs());
        let current: Vec<_> = self.roots.iter().filter(|(_, end)| end.is_some_and(|end| time <= end)).collect();
        if current.len() == self.roots.len() {
            return Ok(verified);
        }
        let current = RootCertStore { roots: current.into_iter().map(|(root, _)| root.clone()).collect() };
        verifier(current, &self.provider)
            .and_then(|current| current.verify_server_cert(certificate, intermediates, name, ocsp_response, now).ok())
            .ok_or_else(|| CertificateError::Expired.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.all.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.all.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.all.supported_verify_schemes()
    }
}
