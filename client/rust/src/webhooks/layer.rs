use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use tower_layer::Layer;
use tower_service::Service;

use super::Verifier;
use crate::error::{Error, ErrorKind};

/// A layer of tower that passes only right webhooks to the inner service, for example in axum or hyper.
///
/// The inner service gets the verified bytes as its body. The layer buffers at most `max_message_bytes` of
/// the client, plus one frame of the body. The layer itself answers with an empty body,
/// and with the [`Error`] in the extensions of the response, for logs:
///
/// | status | meaning |
/// | --- | --- |
/// | 400 | the body ended early, or there is nothing to sign |
/// | 401 | the webhook is wrong |
/// | 413 | the body is too long |
/// | 503 | no verdict: the sender sends the webhook again |
#[derive(Clone)]
pub struct VerifyLayer {
    verifier: Verifier,
}

impl VerifyLayer {
    /// A layer that verifies each request.
    pub fn new(verifier: Verifier) -> VerifyLayer {
        VerifyLayer { verifier }
    }
}

impl<S> Layer<S> for VerifyLayer {
    type Service = VerifyService<S>;

    fn layer(&self, inner: S) -> VerifyService<S> {
        VerifyService { verifier: self.verifier.clone(), inner }
    }
}

/// The service of [`VerifyLayer`].
#[derive(Clone)]
pub struct VerifyService<S> {
    verifier: Verifier,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for VerifyService<S>
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The clone is not ready: the service itself is.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let verifier = self.verifier.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = match Limited::new(body, verifier.max_body_bytes()).collect().await {
                Ok(body) => body.to_bytes(),
                Err(error) if error.is::<LengthLimitError>() => return Ok(refuse(StatusCode::PAYLOAD_TOO_LARGE)),
                Err(_) => return Ok(refuse(StatusCode::BAD_REQUEST)),
            };
            match verifier.verify(&parts.headers, &body).await {
                Ok(()) => inner.call(Request::from_parts(parts, Full::new(body))).await,
                Err(error) => {
                    let mut response = refuse(status(&error));
                    response.extensions_mut().insert(error);
                    Ok(response)
                }
            }
        })
    }
}

fn status(error: &Error) -> StatusCode {
    match error.kind() {
        ErrorKind::InvalidMac => StatusCode::UNAUTHORIZED,
        ErrorKind::MessageTooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        _ if error.is_invalid_argument() => StatusCode::BAD_REQUEST,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn refuse<R: Default>(status: StatusCode) -> Response<R> {
    let mut response = Response::new(R::default());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Parts;

    #[test]
    fn only_an_argument_of_the_caller_is_a_bad_request() {
        let of = |attempts| {
            status(&Error::new(Parts {
                kind: ErrorKind::Other,
                reason: "INVALID_ARGUMENT".into(),
                known: true,
                text: "".into(),
                retryable: false,
                may_have_run: false,
                target: String::new(),
                attempts,
                request_id: String::new(),
            }))
        };
        assert_eq!([StatusCode::BAD_REQUEST, StatusCode::SERVICE_UNAVAILABLE], [0, 1].map(of));
    }
}
