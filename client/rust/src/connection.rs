use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::BodyExt;
use http_body_util::combinators::MapErr;
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use tonic::body::Body;
use tonic::codegen::Service;

use crate::addresses::Link;
use crate::connect::{ConnectError, Stream, tls_failure};
use crate::error::TlsFailure;

const USER_AGENT: &str = concat!("hmacd-rust/", env!("CARGO_PKG_VERSION"));
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(3);

/// An HTTP/2 connection. It ends after its last clone and its last call.
#[derive(Clone)]
pub(crate) struct Connection {
    sender: SendRequest<Body>,
    /// Whether the daemon answered a request.
    answered: Arc<AtomicBool>,
}

/// The connection broke during a call. Hides its cause: tonic would convert it to a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The daemon certainly did not get the request.
    Unsent,
    /// The daemon may have executed the request.
    Sent,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection broke")
    }
}

impl std::error::Error for Broken {}

impl Connection {
    /// Starts HTTP/2 on a stream, and waits for the first bytes of the daemon. Before them, a daemon with
    /// TLS 1.3 can still refuse the client certificate. A task of the current runtime serves the
    /// connection.
    pub async fn start(stream: Stream) -> Result<Connection, ConnectError> {
        match stream {
            Stream::Tls(stream) => Connection::on(*stream).await,
            Stream::Unix(stream) => Connection::on(stream).await,
        }
    }

    async fn on<T: AsyncRead + AsyncWrite + Send + Unpin + 'static>(stream: T) -> Result<Connection, ConnectError> {
        let (first_read, accepted) = oneshot::channel();
        let stream = TokioIo::new(Watched { stream, first_read: Some(first_read) });
        let (sender, connection) = Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .handshake(stream)
            .await
            .map_err(|_| ConnectError::Broken)?;
        tokio::spawn(connection);
        match accepted.await {
            Ok(None) => Ok(Connection { sender, answered: Arc::default() }),
            Ok(Some(failure)) => Err(ConnectError::Tls(failure)),
            Err(_) => Err(ConnectError::Broken),
        }
    }
}

impl Link for Connection {
    /// It broke, or the daemon sent GOAWAY.
    fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    fn has_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    fn is(&self, other: &Connection) -> bool {
        Arc::ptr_eq(&self.answered, &other.answered)
    }
}

/// Whether the daemon refused the stream, or stated in a GOAWAY that it does not process it (RFC 9113).
fn was_refused(error: &hyper::Error) -> bool {
    let h2 = std::error::Error::source(error).and_then(|source| source.downcast_ref::<h2::Error>());
    h2.is_some_and(|error| {
        error.is_remote()
            && (error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM)
                || error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR))
    })
}

type ResponseBody = MapErr<Incoming, fn(hyper::Error) -> Broken>;

impl Service<http::Request<Body>> for Connection {
    type Response = http::Response<ResponseBody>;
    type Error = Broken;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Broken>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        request.headers_mut().insert(http::header::USER_AGENT, http::HeaderValue::from_static(USER_AGENT));
        let sent = self.sender.try_send_request(request);
        let answered = self.answered.clone();
        Box::pin(async move {
            match sent.await {
                Ok(response) => {
                    answered.store(true, Ordering::Relaxed);
                    Ok(response.map(|body| body.map_err((|_| Broken::Sent) as fn(hyper::Error) -> Broken)))
                }
                Err(mut failed) => {
                    // hyper returns a request that it did not send.
                    let unsent = failed.take_message().is_some() || was_refused(failed.error());
                    Err(if unsent { Broken::Unsent } else { Broken::Sent })
                }
            }
        })
    }
}

/// Reports the first bytes of the peer, or its TLS alert. hyper keeps only the text of an I/O error.
struct Watched<T> {
    stream: T,
    first_read: Option<oneshot::Sender<Option<TlsFailure>>>,
}

impl<T> Watched<T> {
    fn report(&mut self, result: Option<TlsFailure>) {
        if let Some(first_read) = self.first_read.take() {
            let _ = first_read.send(result);
        }
    }
}

impl<T: AsyncRead + Unpin> Watched<T> {
    /// After a failed write, reads the alert that explains it. The socket has an error, so a pending read
    /// wakes the task, which repeats the write.
    fn explain<V>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<V>>) -> Poll<io::Result<V>> {
        if matches!(written, Poll::Ready(Err(_))) && self.first_read.is_some() {
            let mut bytes = [0; 1024];
            if Pin::new(self).poll_read(cx, &mut ReadBuf::new(&mut bytes)).is_pending() {
                return Poll::Pending;
            }
        }
        written
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        match &read {
            Poll::Ready(Ok(())) if buffer.filled().len() > before => self.report(None),
            Poll::Ready(Err(error)) => {
                if let Some(failure) = tls_failure(error) {
                    self.report(Some(failure));
                }
            }
            _ => {}
        }
        read
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buffer);
        self.explain(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, buffers);
        self.explain(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.explain(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
