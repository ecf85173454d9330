//! The caller of `scripts/bench-clients`: the cost of a call of the package, or of the stub alone.
//!
//! `hmacd-cost stub|package KEY WARM_UP CALLS CONCURRENCY`. `scripts/bench-clients` has the meaning of the
//! arguments, of the environment and of the output.

use std::error::Error;
use std::time::{Duration, Instant};
use std::{env, fs};

use hmacd::{Algorithm, Client, Key, Settings};
use rustix::time::{ClockId, clock_gettime};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};

mod v1 {
    tonic::include_proto!("hmacd.v1");
}
use v1::mac_service_client::MacServiceClient;

const MESSAGE: &[u8; 32] = &[b'm'; 32];
const TIMEOUT: Duration = Duration::from_secs(5);

type Failure = Box<dyn Error + Send + Sync>;

/// Makes one call, and returns the MAC.
trait Caller: Clone + Send + 'static {
    fn call(&mut self) -> impl Future<Output = Result<Vec<u8>, Failure>> + Send;
}

#[derive(Clone)]
struct Package(Key);

impl Caller for Package {
    async fn call(&mut self) -> Result<Vec<u8>, Failure> {
        Ok(self.0.generate(MESSAGE).await?)
    }
}

#[derive(Clone)]
struct Stub {
    client: MacServiceClient<Channel>,
    key: String,
}

impl Stub {
    async fn connect(key: String) -> Result<Stub, Failure> {
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(fs::read(env::var("HMACD_CA")?)?))
            .identity(Identity::from_pem(fs::read(env::var("HMACD_CERT")?)?, fs::read(env::var("HMACD_KEY")?)?));
        let target = format!("https://{}", env::var("HMACD_TARGET")?);
        let channel = Channel::from_shared(target)?.tls_config(tls)?.connect().await?;
        Ok(Stub { client: MacServiceClient::new(channel), key })
    }
}

impl Caller for Stub {
    async fn call(&mut self) -> Result<Vec<u8>, Failure> {
        let mut request = tonic::Request::new(v1::GenerateMacRequest {
            key_id: self.key.clone(),
            message: MESSAGE.to_vec(),
            mac_algorithm: v1::MacAlgorithm::HmacSha256.into(),
            ..Default::default()
        });
        request.set_timeout(TIMEOUT);
        Ok(self.client.generate_mac(request).await?.into_inner().mac)
    }
}

struct Load {
    warm_up: u32,
    calls: u32,
    concurrency: u32,
}

impl Load {
    async fn run(&self, mut caller: impl Caller) -> Result<(), Failure> {
        let right = caller.call().await?;
        println!("ready");
        self.loops(&caller, &right, self.warm_up).await?;
        let (start, cpu) = (Instant::now(), cpu_time()?);
        let calls = self.loops(&caller, &right, self.calls).await?;
        println!(
            "{{\"calls\":{calls},\"seconds\":{},\"cpu_seconds\":{}}}",
            start.elapsed().as_secs_f64(),
            (cpu_time()? - cpu).as_secs_f64()
        );
        Ok(())
    }

    /// Makes calls in closed loops. Returns their number.
    async fn loops(&self, caller: &impl Caller, right: &[u8], calls: u32) -> Result<u32, Failure> {
        let each = calls.div_ceil(self.concurrency);
        let tasks: Vec<_> = (0..self.concurrency)
            .map(|_| {
                let (mut caller, right) = (caller.clone(), right.to_vec());
                tokio::spawn(async move {
                    for _ in 0..each {
                        if caller.call().await? != right {
                            return Err("a wrong MAC".into());
                        }
                    }
                    Ok::<_, Failure>(())
                })
            })
            .collect();
        for task in tasks {
            task.await??;
        }
        Ok(each * self.concurrency)
    }
}

fn cpu_time() -> Result<Duration, Failure> {
    Ok(clock_gettime(ClockId::ProcessCPUTime).try_into()?)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [mode, key, warm_up, calls, concurrency] =
        arguments.try_into().map_err(|_| "usage: hmacd-cost stub|package KEY WARM_UP CALLS CONCURRENCY")?;
    let load = Load { warm_up: warm_up.parse()?, calls: calls.parse()?, concurrency: concurrency.parse()? };
    match mode.as_str() {
        "stub" => load.run(Stub::connect(key).await?).await,
        "package" => {
            let client = Client::new(Settings::from_env()?.timeout(TIMEOUT))?;
            load.run(Package(client.key(key, Algorithm::HmacSha256))).await?;
            client.close().await;
            Ok(())
        }
        _ => Err("the first argument is stub or package".into()),
    }
}
