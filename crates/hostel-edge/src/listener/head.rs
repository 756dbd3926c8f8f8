//! A strict reading of an HTTP/1 request head: whatever two parsers could
//! understand differently is refused, so that no request hides in another.

use super::Fault;

/// How the bytes after a head are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// No body.
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked,
    /// A request to change the protocol: what follows may not be HTTP.
    Upgrade,
}

type Checked<T> = Result<T, Fault>;

/// Where a head in `bytes` ends, looking from `from`; a broken line end is a
/// fault at once, since the end it hides would never come.
pub(super) fn end(bytes: &[u8], from: usize) -> Checked<Option<usize>> {
    for at in from..bytes.len() {
        let before = at.checked_sub(1).map(|before| bytes[before]);
        match (before, bytes[at]) {
            (Some(b'\r'), b'\n') if bytes[..=at].ends_with(b"\r\n\r\n") => {
                return Ok(Some(at + 1));
            }
            (Some(b'\r'), b'\n') => {}
            (_, b'\n') => return malformed("A line ends with LF without CR."),
            (Some(b'\r'), _) => return malformed("A CR stands alone in the request head."),
            (_, 0) => return malformed("The request head contains a NUL byte."),
            _ => {}
        }
    }
    Ok(None)
}

/// Checks a whole head, its last empty line included.
pub(super) fn check(head: &[u8], max_fields: usize) -> Checked<Framing> {
    let mut lines = head
        .split(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .take_while(|line| !line.is_empty());
    let request = request_line(lines.next().unwrap_or_default())?;
    let mut fields = Fields::default();
    for (count, line) in lines.enumerate() {
        if count == max_fields {
            return Err(Fault::HeadersTooLarge);
        }
        fields.take(line)?;
    }
    fields.framing(&request)
}

struct RequestLine {
    get: bool,
    old: bool,
}

fn request_line(line: &[u8]) -> Checked<RequestLine> {
    let mut parts = line.split(|&byte| byte == b' ');
    let (Some(method), Some(target), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return malformed("The request line is not `METHOD target HTTP/1.1`.");
    };
    if !is_token(method) {
        return malformed("The request method has characters that are not allowed.");
    }
    if method == b"CONNECT" {
        return malformed("CONNECT is not served here: this is no proxy.");
    }
    // What the HTTP library would refuse, it would refuse without a word.
    if !target.iter().all(u8::is_ascii_graphic) || http::Uri::try_from(target).is_err() {
        return malformed("The request target has characters that are not allowed.");
    }
    let old = match version {
        b"HTTP/1.1" => false,
        b"HTTP/1.0" => true,
        _ => return malformed("The request line does not end with HTTP/1.1."),
    };
    Ok(RequestLine { get: method == b"GET", old })
}

#[derive(Default)]
struct Fields {
    host: bool,
    length: Option<u64>,
    chunked: bool,
    upgrade: bool,
}

impl Fields {
    fn take(&mut self, line: &[u8]) -> Checked<()> {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            return malformed("A header is continued on the next line.");
        }
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            return malformed("A header has no colon.");
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if !is_token(name) {
            return malformed("A header name is empty or has characters that are not allowed.");
        }
        if value.iter().any(|&byte| byte.is_ascii_control() && byte != b'\t') {
            return malformed("A header value has a control character.");
        }
        self.known(name, value)
    }

    fn known(&mut self, name: &[u8], value: &[u8]) -> Checked<()> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("host") {
            self.host(value)
        } else if is("content-length") {
            self.length(value)
        } else if is("transfer-encoding") {
            self.encoding(value)
        } else {
            self.upgrade |= is("upgrade");
            Ok(())
        }
    }

    fn host(&mut self, value: &[u8]) -> Checked<()> {
        if std::mem::replace(&mut self.host, true) {
            return malformed("The request has two Host headers.");
        }
        if value.iter().any(|byte| !byte.is_ascii_graphic() || b",/@?#\\".contains(byte)) {
            return malformed("The Host header is not a host name.");
        }
        Ok(())
    }

    fn length(&mut self, value: &[u8]) -> Checked<()> {
        if self.length.is_some() {
            return malformed("The request has two Content-Length headers.");
        }
        let digits = (1..=18).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
        self.length = str::from_utf8(value).ok().filter(|_| digits).and_then(|text| text.parse().ok());
        match self.length {
            Some(_) => Ok(()),
            None => malformed("The Content-Length header is not a plain number."),
        }
    }

    fn encoding(&mut self, value: &[u8]) -> Checked<()> {
        if std::mem::replace(&mut self.chunked, true) {
            return malformed("The request has two Transfer-Encoding headers.");
        }
        if !value.eq_ignore_ascii_case(b"chunked") {
            return malformed("The only Transfer-Encoding understood is `chunked`.");
        }
        Ok(())
    }

    fn framing(&self, request: &RequestLine) -> Checked<Framing> {
        if !self.host && !request.old {
            return malformed("The request has no Host header.");
        }
        match (self.chunked, self.length) {
            (true, Some(_)) => malformed("The request has both Content-Length and Transfer-Encoding."),
            (true, None) if request.old => malformed("HTTP/1.0 has no Transfer-Encoding."),
            (true, None) => Ok(Framing::Chunked),
            (false, Some(length)) if length > 0 => Ok(Framing::Length(length)),
            _ if self.upgrade && request.get => Ok(Framing::Upgrade),
            _ => Ok(Framing::None),
        }
    }
}

fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

fn malformed<T>(what: &'static str) -> Checked<T> {
    Err(Fault::Malformed(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_heads_pass_with_their_framing() {
        let table: [(&[u8], Framing); 6] = [
            (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", Framing::None),
            (b"GET / HTTP/1.0\r\n\r\n", Framing::None),
            (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", Framing::None),
            (b"POST / HTTP/1.1\r\nHost: [::1]:80\r\ncontent-length:5 \r\n\r\n", Framing::Length(5)),
            (b"POST / HTTP/1.1\r\nHost:\r\nTransfer-Encoding: Chunked\r\n\r\n", Framing::Chunked),
            (b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n", Framing::Upgrade),
        ];
        for (head, framing) in table {
            assert_eq!(end(head, 0), Ok(Some(head.len())));
            assert_eq!(check(head, 100), Ok(framing));
        }
    }

    #[test]
    fn the_end_is_found_wherever_the_head_was_cut() {
        let head = b"GET / HTTP/1.1\r\nHost: h\r\n\r\nrest";
        for cut in 0..head.len() - 4 {
            assert_eq!(end(&head[..cut], 0), Ok(None), "{cut}");
            assert_eq!(end(head, cut.saturating_sub(1)), Ok(Some(head.len() - 4)), "{cut}");
        }
    }

    #[test]
    fn no_bytes_make_the_check_panic() {
        for head in [&b""[..], b"\r\n\r\n", b":\r\n\r\n", b" \r\n\r\n", b"\xff\xff\r\n\r\n"] {
            assert!(check(head, 100).is_err());
        }
    }
}
