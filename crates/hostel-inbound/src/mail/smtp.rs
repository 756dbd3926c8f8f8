//! A small SMTP server (RFC 5321): takes mail for our own domains, and nothing else.

mod session;

use std::{collections::HashMap, io, net::IpAddr, sync::Arc, time::Duration};

use hostel_runtime::Node;
use parking_lot::Mutex;
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet};

use self::session::Session;
use super::Mail;

/// Conversations at a time.
const MOST: usize = 64;
/// Of those, with one address.
const MOST_PER_ADDRESS: usize = 8;
/// How long one may take in all.
const LONGEST: Duration = Duration::from_secs(600);

/// Listens for SMTP.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    mail: Mail,
    node: Node,
}

type Addresses = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// A place among the conversations of one address.
struct Seat(Addresses, IpAddr);

impl Seat {
    fn take(addresses: &Addresses, address: IpAddr) -> Option<Self> {
        let mut counts = addresses.lock();
        let count = counts.entry(address).or_default();
        if *count >= MOST_PER_ADDRESS {
            return None;
        }
        *count += 1;
        Some(Self(Arc::clone(addresses), address))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.0.lock();
        if let Some(count) = counts.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.1);
            }
        }
    }
}

impl Listener {
    /// Listens where the options of `mail` say; `None` if they say nowhere.
    ///
    /// # Errors
    /// When the address cannot be listened on, or the options want TLS and have no certificate.
    pub async fn bind(mail: Mail, node: Node) -> io::Result<Option<Self>> {
        let Some(address) = mail.0.options.listen else { return Ok(None) };
        if mail.0.options.require_tls && mail.0.options.tls.is_none() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "mail: require_tls needs a certificate (tls)"));
        }
        let socket = TcpListener::bind(address).await?;
        tracing::info!(address = %socket.local_addr()?, "listening for mail");
        Ok(Some(Self { socket, mail, node }))
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system's.
    pub fn address(&self) -> io::Result<std::net::SocketAddr> {
        self.socket.local_addr()
    }

    /// Takes mail until `stop` resolves; conversations under way end with it.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let (free, addresses) = (Arc::new(Semaphore::new(MOST)), Addresses::default());
        let mut conversations = JoinSet::new();
        tokio::pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => return,
                accepted = self.socket.accept() => accepted,
                Some(_) = conversations.join_next() => continue,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(error = %error, "a conversation about mail could not begin");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let places = (Arc::clone(&free).try_acquire_owned().ok(), Seat::take(&addresses, peer.ip()));
            let session = Session::new(stream, peer.ip(), self.mail.clone(), self.node.clone());
            conversations.spawn(async move {
                let ended = match places {
                    (Some(_free), Some(_seat)) => tokio::time::timeout(LONGEST, session.talk()).await,
                    _ => Ok(session.turn_away().await),
                };
                if let Ok(Err(error)) = ended {
                    tracing::debug!(peer = %peer.ip(), error = %error, "a conversation about mail broke off");
                }
            });
        }
    }
}
