use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::uri::PathAndQuery;
use tokio::time::{Instant, sleep, timeout_at};
use tonic::client::Grpc;
use tonic_prost::ProstCodec;

use crate::addresses::Link;
use crate::channel::Channel;
use crate::connection::{Broken, Connection};
use crate::connections::Connections;
use crate::error::Error;
use crate::failure::{Failure, Sizes, request_id};
use crate::gate::Pass;
use crate::picker::{Pick, Picker, Wish};
use crate::request::Request;
use crate::retry::{Action, Attempt, Budget, Retries};

/// How often one attempt is sent again after a GOAWAY of the daemon (`max_age`).
const MAX_RESENDS: u32 = 3;

/// What all calls of a client share.
pub(crate) struct Shared {
    pub connections: Connections,
    pub picker: Mutex<Picker>,
    pub budget: Mutex<Budget>,
    pub attempt_timeout: Duration,
}

/// One call, from its first attempt to its outcome.
pub(crate) struct Call<'a> {
    pub shared: &'a Shared,
    pub pass: Pass<'a>,
    pub deadline: Instant,
}

/// The outcome of a call that succeeded.
#[cfg_attr(not(feature = "otel"), allow(dead_code))] // Only telemetry reads the details.
pub(crate) struct Answer<T> {
    pub response: T,
    pub target: String,
    pub attempts: u32,
}

/// Why a step of a call ended without a result.
enum Stop {
    Elapsed,
    Closed,
}

impl Call<'_> {
    /// Makes attempts until one of them succeeds or is final.
    pub async fn run<R: Request>(mut self, request: &R) -> Result<Answer<R::Response>, Error> {
        let mut retries = Retries::default();
        let mut wish = Wish::Any;
        let (mut attempts, mut may_have_run) = (0, false);
        let mut target = String::new();
        loop {
            let now = Instant::now();
            if now >= self.deadline {
                let failure = Failure::deadline_exceeded(may_have_run, None);
                return Err(failure.into_error(&target, attempts, may_have_run));
            }
            let lease = Lease::take(&self.shared.picker, wish, now);
            let pick = lease.pick;
            let channel = self.shared.connections.channel(pick.index);
            let limited = R::REPEATABLE && pick.others;
            let limit = if limited { self.deadline.min(now + self.shared.attempt_timeout) } else { self.deadline };
            attempts += 1;
            target = channel.target.to_string();
            let failure = match self.attempt(&channel, request, limit, pick.waits).await {
                Ok(response) => {
                    lease.answered();
                    if attempts == 1 {
                        lock(&self.shared.budget).give();
                    }
                    return Ok(Answer { response, target, attempts });
                }
                Err(failure) => failure,
            };
            lease.end(&failure);
            may_have_run |= failure.may_have_run;
            let attempt = Attempt {
                action: failure.action,
                retry_after: failure.retry_after,
                forbidden: failure.forbidden,
                elsewhere: lock(&self.shared.picker).has_other(pick.index, Instant::now()),
                unsent: !failure.may_have_run && !failure.answered,
            };
            let remaining = self.deadline.saturating_duration_since(Instant::now());
            let delay = R::REPEATABLE
                .then(|| retries.next(&attempt, remaining, &mut lock(&self.shared.budget), fastrand::f64()))
                .flatten();
            let Some(delay) = delay else {
                return Err(failure.into_error(&target, attempts, may_have_run));
            };
            wish = match failure.action {
                Action::OnceWithNewConnection => Wish::Same(pick.index),
                Action::Suspend | Action::BackOff => Wish::Not(pick.index),
                Action::OnceAfterDamage | Action::Fail => Wish::Any,
            };
            let deadline = self.deadline;
            let pause = async {
                if failure.action == Action::OnceWithNewConnection {
                    self.shared.connections.reconnect(pick.index, &channel).await;
                }
                sleep(delay).await;
            };
            if let Err(stop) = within(&mut self.pass, deadline, pause).await {
                let stopped = Failure { may_have_run, ..stop.failure(false, deadline, deadline, &channel) };
                return Err(stopped.into_error(&target, attempts, may_have_run));
            }
        }
    }

    /// Makes one attempt on a channel, until `limit`.
    async fn attempt<R: Request>(
        &mut self,
        channel: &Arc<Channel>,
        request: &R,
        limit: Instant,
        wait: bool,
    ) -> Result<R::Response, Failure> {
        let deadline = self.deadline;
        let mut resends = 0;
        loop {
            let connection = match within(&mut self.pass, limit, channel.connection(wait)).await {
                Ok(connected) => connected.map_err(Failure::unconnected)?,
                Err(stop) => return Err(stop.failure(false, limit, deadline, channel)),
            };
            let answer = match within(&mut self.pass, limit, send(&connection, channel, request, limit)).await {
                Ok(answer) => answer,
                Err(stop) => return Err(stop.failure(true, limit, deadline, channel)),
            };
            let status = match answer {
                Ok(response) if request.is_intact(response.get_ref()) => return Ok(response.into_inner()),
                Ok(response) => return Err(Failure::damaged(request_id(response.metadata()))),
                Err(status) => status,
            };
            let broken = std::error::Error::source(&status).and_then(|source| source.downcast_ref::<Broken>());
            if broken.is_some() {
                channel.lost(&connection);
            }
            if broken != Some(&Broken::Unsent) || !connection.has_answered() || resends == MAX_RESENDS {
                return Err(Failure::of(&status, Sizes::of(request)));
            }
            resends += 1;
        }
    }
}

/// Sends a request on a connection. The daemon gets the limit of the attempt.
async fn send<R: Request>(
    connection: &Connection,
    channel: &Channel,
    request: &R,
    limit: Instant,
) -> Result<tonic::Response<R::Response>, tonic::Status> {
    let mut message = tonic::Request::new(request.clone());
    message.set_timeout(limit.saturating_duration_since(Instant::now()));
    let codec = ProstCodec::<R, R::Response>::default();
    Grpc::with_origin(connection.clone(), channel.origin.clone())
        .unary(message, PathAndQuery::from_static(R::PATH), codec)
        .await
}

async fn within<T>(pass: &mut Pass<'_>, limit: Instant, step: impl Future<Output = T>) -> Result<T, Stop> {
    tokio::select! {
        biased;
        () = pass.cancelled() => Err(Stop::Closed),
        result = timeout_at(limit, step) => result.map_err(|_| Stop::Elapsed),
    }
}

impl Stop {
    /// `sent`: whether the request was sent on a connection.
    fn failure(self, sent: bool, limit: Instant, deadline: Instant, channel: &Channel) -> Failure {
        match self {
            Stop::Closed => Failure::closed(sent),
            Stop::Elapsed if limit < deadline => Failure::attempt_timed_out(sent),
            Stop::Elapsed => Failure::deadline_exceeded(sent, channel.last_error()),
        }
    }
}

/// The target of an attempt. A dropped lease abandons the attempt, for example if the call is cancelled.
struct Lease<'a> {
    picker: &'a Mutex<Picker>,
    pick: Pick,
    ended: bool,
}

impl<'a> Lease<'a> {
    fn take(picker: &'a Mutex<Picker>, wish: Wish, now: Instant) -> Lease<'a> {
        let pick = lock(picker).pick(now, wish);
        Lease { picker, pick, ended: false }
    }

    fn answered(mut self) {
        lock(self.picker).answered(self.pick);
        self.ended = true;
    }

    fn end(mut self, failure: &Failure) {
        if failure.action == Action::Suspend {
            lock(self.picker).failed(self.pick, Instant::now(), fastrand::f64());
            self.ended = true;
        } else if failure.answered {
            self.answered();
        }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if !self.ended {
            lock(self.picker).abandoned(self.pick);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
