//! `permessage-deflate` negotiation: which of a client's offers we take.
//!
//! Offers come in the client's order of preference and may be fallbacks of one
//! another; the first one we can keep wins, and an offer with anything we do
//! not know is passed over, as RFC 7692 section 7.1 asks.

use http::{HeaderMap, header};

/// What a taken offer means for this connection.
///
/// Both sides always start each message with an empty window: idle sockets
/// then hold no compression state at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Deflate {
    /// The window the client asked our compressor to keep to.
    server_bits: Option<u8>,
}

impl Deflate {
    /// The value of our `Sec-WebSocket-Extensions` header.
    pub(super) fn answer(self) -> String {
        match self.server_bits {
            Some(bits) => format!("{TAKEN}; server_max_window_bits={bits}"),
            None => TAKEN.to_owned(),
        }
    }
}

const TAKEN: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// The first offer in `headers` that we can keep.
#[must_use]
pub(super) fn choose(headers: &HeaderMap) -> Option<Deflate> {
    headers
        .get_all(header::SEC_WEBSOCKET_EXTENSIONS)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| split_quoted(value, b','))
        .find_map(accept)
}

fn accept(offer: &str) -> Option<Deflate> {
    let mut parts = split_quoted(offer, b';').map(str::trim);
    if parts.next()? != "permessage-deflate" {
        return None;
    }
    let mut seen = Seen::default();
    for part in parts {
        let (name, value) = match part.split_once('=') {
            Some((name, value)) => (name.trim(), Some(unquote(value.trim())?)),
            None => (part, None),
        };
        seen.parameter(name, value)?;
    }
    Some(Deflate { server_bits: seen.server_bits })
}

#[derive(Default)]
struct Seen {
    server_takeover: bool,
    client_takeover: bool,
    server_bits: Option<u8>,
    client_bits: bool,
}

impl Seen {
    /// `None` for whatever makes the offer unacceptable.
    fn parameter(&mut self, name: &str, value: Option<&str>) -> Option<()> {
        match (name, value) {
            ("server_no_context_takeover", None) => once(&mut self.server_takeover),
            ("client_no_context_takeover", None) => once(&mut self.client_takeover),
            ("server_max_window_bits", Some(bits)) => {
                let bits = window_bits(bits).filter(|&bits| bits >= SMALLEST_WINDOW)?;
                self.server_bits.replace(bits).is_none().then_some(())
            }
            ("client_max_window_bits", bits) => {
                // A hint: our side always inflates with the largest window.
                bits.map_or(Some(0), window_bits)?;
                once(&mut self.client_bits)
            }
            _ => None,
        }
    }
}

/// The compressor cannot keep to a window of 256 bytes.
const SMALLEST_WINDOW: u8 = 9;

fn once(seen: &mut bool) -> Option<()> {
    (!std::mem::replace(seen, true)).then_some(())
}

fn window_bits(text: &str) -> Option<u8> {
    match text {
        "8" => Some(8),
        "9" => Some(9),
        "10" | "11" | "12" | "13" | "14" | "15" => text.parse().ok(),
        _ => None,
    }
}

fn unquote(value: &str) -> Option<&str> {
    match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"').filter(|inner| !inner.is_empty()),
        None => (!value.is_empty() && !value.contains('"')).then_some(value),
    }
}

/// Splits at `separator` outside of quotes.
fn split_quoted(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut quoted = false;
        let cut = text.bytes().position(|byte| {
            quoted ^= byte == b'"';
            byte == separator && !quoted
        });
        let (part, tail) = match cut {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        rest = tail;
        Some(part.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(offers: &[&str], expect: Option<&str>) {
        let mut headers = HeaderMap::new();
        for offer in offers {
            let value = offer.parse().expect("header value");
            headers.append(header::SEC_WEBSOCKET_EXTENSIONS, value);
        }
        let got = choose(&headers).map(Deflate::answer);
        assert_eq!(got.as_deref(), expect, "{offers:?}");
    }

    #[test]
    fn the_first_offer_that_can_be_kept_is_taken() {
        let bits_9 = "permessage-deflate; server_no_context_takeover; \
                      client_no_context_takeover; server_max_window_bits=9";
        let bits_15 = "permessage-deflate; server_no_context_takeover; \
                       client_no_context_takeover; server_max_window_bits=15";
        check(&[], None);
        check(&["permessage-deflate"], Some(TAKEN));
        check(&["permessage-deflate; client_max_window_bits"], Some(TAKEN));
        check(&["permessage-deflate; client_max_window_bits=9"], Some(TAKEN));
        check(&["permessage-deflate; client_no_context_takeover; server_no_context_takeover"], Some(TAKEN));
        check(&["permessage-deflate; server_max_window_bits=9"], Some(bits_9));
        check(&["permessage-deflate; server_max_window_bits=\"15\""], Some(bits_15));
        check(&["permessage-deflate; server_max_window_bits=8, permessage-deflate"], Some(TAKEN));
        check(&["permessage-deflate; mystery", "permessage-deflate; server_max_window_bits=9"], Some(bits_9));
        check(&["x-webkit-deflate-frame, permessage-deflate"], Some(TAKEN));
    }

    #[test]
    fn offers_with_anything_unknown_doubled_or_too_small_are_declined() {
        for offer in [
            "permessage-deflate; server_max_window_bits=8",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=015",
            "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9",
            "permessage-deflate; client_max_window_bits=7",
            "permessage-deflate; client_max_window_bits=\"",
            "permessage-deflate; client_max_window_bits=",
            "permessage-deflate; client_max_window_bits=15; client_max_window_bits=15",
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; mystery",
            "permessage-deflate;",
            "permessage-bzip2",
            "\"permessage-deflate, permessage-deflate\"",
            ",;=\"",
        ] {
            check(&[offer], None);
        }
    }
}
