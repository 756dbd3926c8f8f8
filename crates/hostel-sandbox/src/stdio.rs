//! A command's input and output, from the server's side.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;

use crate::Terminal;
use crate::job::Source;

/// The server's ends, and the command's.
pub(crate) struct Stdio {
    pub(crate) input: Writer,
    /// The end of a terminal is an error, of a pipe it is nothing: both are the end.
    pub(crate) outputs: Vec<(Source, pipe::Receiver)>,
    pub(crate) theirs: [OwnedFd; 3],
}

#[derive(Debug)]
pub(crate) enum Writer {
    Pipe(pipe::Sender),
    Terminal(pipe::Sender),
    Closed,
}

/// What a terminal takes for the end of input.
const END: u8 = 4;

impl Stdio {
    pub(crate) fn pipes() -> io::Result<Self> {
        let pipe = || rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC);
        let ((in_read, in_write), (out_read, out_write), (err_read, err_write)) = (pipe()?, pipe()?, pipe()?);
        let (output, errors) = (pipe::Receiver::from_owned_fd(out_read)?, pipe::Receiver::from_owned_fd(err_read)?);
        Ok(Self {
            input: Writer::Pipe(pipe::Sender::from_owned_fd(in_write)?),
            outputs: vec![(Source::Output, output), (Source::Errors, errors)],
            theirs: [in_read, out_write, err_write],
        })
    }

    /// The server's end of a terminal reads and writes as two pipes would.
    pub(crate) fn terminal(size: Terminal) -> io::Result<Self> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let theirs = ioctl_tiocgptpeer(&master, flags)?;
        resize(&master, size)?;
        rustix::io::ioctl_fionbio(&master, true)?;
        let output = pipe::Receiver::from_owned_fd_unchecked(master.try_clone()?)?;
        Ok(Self {
            input: Writer::Terminal(pipe::Sender::from_owned_fd_unchecked(master)?),
            outputs: vec![(Source::Terminal, output)],
            theirs: [theirs.try_clone()?, theirs.try_clone()?, theirs],
        })
    }
}

fn resize(master: impl AsFd, size: Terminal) -> io::Result<()> {
    Ok(tcsetwinsize(master, Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 })?)
}

impl Writer {
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Pipe(to) | Self::Terminal(to) => to.write_all(bytes).await,
            Self::Closed => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// The pipe, which is closed here then.
    pub(crate) fn take(&mut self) -> Option<pipe::Sender> {
        match std::mem::replace(self, Self::Closed) {
            Self::Pipe(to) => Some(to),
            terminal => {
                *self = terminal;
                None
            }
        }
    }

    pub(crate) async fn close(&mut self) -> io::Result<()> {
        if matches!(self, Self::Terminal(_)) {
            return self.write(&[END]).await;
        }
        *self = Self::Closed;
        Ok(())
    }

    pub(crate) fn resize(&self, size: Terminal) -> io::Result<()> {
        match self {
            Self::Terminal(master) => resize(master, size),
            Self::Pipe(_) | Self::Closed => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}
