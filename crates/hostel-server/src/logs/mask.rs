//! Lines of the log without secrets, whoever wrote them.

use std::{
    borrow::Cow,
    io::{self, Stderr, Write},
    sync::Arc,
};

use hostel::Scrub;
use tracing_subscriber::fmt::MakeWriter;

/// Writes lines to standard error, through the mask if there is one.
pub(super) struct Lines(pub(super) Option<Arc<dyn Scrub>>);

/// One line on its way.
pub(super) struct Line<'a> {
    scrub: Option<&'a dyn Scrub>,
    out: Stderr,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { scrub: self.0.as_deref(), out: io::stderr() }
    }
}

impl Write for Line<'_> {
    /// The formatter hands over whole lines, each at once.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.out.write_all(&without_secrets(self.scrub, line))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn without_secrets<'a>(scrub: Option<&dyn Scrub>, line: &'a [u8]) -> Cow<'a, [u8]> {
    let Some(scrub) = scrub else { return Cow::Borrowed(line) };
    match scrub.mask(&String::from_utf8_lossy(line)) {
        // There is no line about this one: it would be written while this one is.
        Some(masked) => {
            metrics::counter!("hostel_secrets_masked_total", "place" => "log").increment(1);
            Cow::Owned(masked.text.into_bytes())
        }
        None => Cow::Borrowed(line),
    }
}
