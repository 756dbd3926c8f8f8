//! Answers to connections that never become HTTP connections: one sentence,
//! then a close that does not swallow it.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::Fault;
use crate::stream::Stream;

/// How long the other side may take to read its answer.
pub(super) const LINGER: Duration = Duration::from_secs(1);

/// A fatal alert, `protocol_version`: what a TLS client understands.
const TLS_ALERT: [u8; 7] = [21, 3, 1, 0, 2, 2, 70];

/// Answers with a problem document and closes.
pub(super) async fn refuse(stream: Stream, fault: Fault) {
    say_goodbye(stream, &response(fault)).await;
}

/// Tells a TLS client, in its own terms, that this port does not speak TLS.
pub(super) async fn alert(stream: Stream) {
    say_goodbye(stream, &TLS_ALERT).await;
}

async fn say_goodbye(mut stream: Stream, bytes: &[u8]) {
    let goodbye = async {
        stream.write_all(bytes).await?;
        stream.shutdown().await?;
        let mut rest = [0; 512];
        // Closing with bytes unread would reset the connection and the answer with it.
        while stream.read(&mut rest).await? > 0 {}
        Ok::<_, std::io::Error>(())
    };
    let _late_or_gone = timeout(LINGER, goodbye).await;
}

fn response(fault: Fault) -> Vec<u8> {
    let body = fault.problem();
    let retry = fault.retry_after().map(|seconds| format!("retry-after: {seconds}\r\n")).unwrap_or_default();
    let mut response = format!(
        "HTTP/1.1 {}\r\ncontent-type: application/problem+json\r\nx-hostel-code: {}\r\nx-content-type-options: nosniff\r\n\
         content-length: {}\r\n{retry}connection: close\r\n\r\n",
        fault.status(),
        fault.code(),
        body.len(),
    )
    .into_bytes();
    response.extend_from_slice(&body);
    response
}
