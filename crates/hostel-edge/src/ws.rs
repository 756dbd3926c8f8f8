//! WebSockets: the opening handshake, compression, and a small socket for one
//! task that both reads and writes. The only place that names the library.
//!
//! ```no_run
//! use hostel_edge::ws::{self, Incoming, Outgoing, WsPolicy};
//!
//! # fn answer(mut request: http::Request<()>) -> Result<(), ws::BadUpgrade> {
//! let (response, upgrade) = ws::handshake(&mut request, &WsPolicy::default())?;
//! upgrade.spawn(|mut socket| async move {
//!     while let Some(event) = socket.recv().await {
//!         match event {
//!             Ok(Incoming::Text(text)) => drop(socket.feed(Outgoing::Text(text))),
//!             Ok(Incoming::Binary(bytes)) => drop(socket.feed(Outgoing::Binary(bytes))),
//!             Ok(Incoming::Close { .. }) | Err(_) => {} // recv finishes the goodbye
//!         }
//!         if socket.flush().await.is_err() {
//!             break;
//!         }
//!     }
//! });
//! # drop(response); Ok(())
//! # }
//! ```

mod assembly;
mod closing;
mod error;
mod handshake;
mod offer;
mod policy;
mod socket;
mod text_watch;
mod upgrade;
mod wire;

pub use error::WsError;
pub use handshake::{BadUpgrade, handshake, is_upgrade};
pub use policy::WsPolicy;
pub use socket::{Ahead, Incoming, Outgoing, Socket};
pub use upgrade::{Upgrade, UpgradeFailed};
