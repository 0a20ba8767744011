//! One client of the control socket.
use super::answer::Answer;
use super::device::Device;
use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use underpass_core::uapi::{EPROTO, Fault, Request, RequestBuffer, write_status};
use zeroize::Zeroizing;

/// Bytes read at once.
const CHUNK: usize = 64 * 1024;
/// Steps one client gets before the others have their turn.
const ROUNDS: usize = 16;
/// How a request ends.
const REQUEST_END: [u8; 2] = *b"\n\n";

/// A client: what it sent, and what it has not yet taken.
#[derive(Debug)]
pub(super) struct Connection {
    stream: UnixStream,
    requests: RequestBuffer,
    /// The last two bytes received. An empty line is the end of every request, and of nothing else.
    tail: [u8; 2],
    answer: Answer,
    sent: usize,
    /// No more requests are read: the client ended its side or sent garbage.
    ending: bool,
}

impl Connection {
    /// A client that has just connected.
    pub(super) fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let (requests, answer) = (RequestBuffer::new(), Answer::default());
        Ok(Self { stream, requests, tail: REQUEST_END, answer, sent: 0, ending: false })
    }

    /// The socket to wait for.
    pub(super) const fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// Whether an answer waits for the client to take it. Until it has, nothing more is read: a client that sends
    /// without listening costs one answer.
    pub(super) fn is_answering(&self) -> bool {
        self.sent < self.answer.as_bytes().len()
    }

    /// Whether everything is said.
    pub(super) fn is_over(&self) -> bool {
        self.ending && !self.is_answering()
    }

    /// Goes on as far as the socket allows without waiting, at most [`ROUNDS`] steps; `true` when it stopped there
    /// and has more to do, so that a client who never stops asking does not keep the others waiting.
    ///
    /// # Errors
    /// The client is gone.
    pub(super) fn advance(&mut self, device: &dyn Device) -> io::Result<bool> {
        for _ in 0..ROUNDS {
            if self.is_answering() && !self.write()? {
                return Ok(false);
            }
            if !self.serve_next(device) && (self.ending || !self.read()?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Answers the next whole request, if there is one.
    fn serve_next(&mut self, device: &dyn Device) -> bool {
        if self.ending {
            return false;
        }
        let written = match self.requests.poll() {
            Ok(None) => return false,
            Ok(Some(request)) => answer_request(device, request, &mut self.answer),
            Err(fault) => {
                tracing::error!("control socket: {fault}");
                self.ending = true;
                // Whoever does not speak the protocol gets no answer in it, as with wireguard-go.
                if fault.fault == Fault::UnknownOperation {
                    Ok(())
                } else {
                    write_status(fault.errno(), &mut self.answer)
                }
            }
        };
        // Growing memory is all that happens in there: it does not fail.
        debug_assert!(written.is_ok());
        true
    }

    /// Reads once; `false` when nothing is there yet.
    fn read(&mut self) -> io::Result<bool> {
        let mut chunk = Zeroizing::new([0; CHUNK]);
        match self.stream.read(&mut chunk[..]) {
            Ok(0) => {
                // A request without its end is not applied: half a configuration is worse than none.
                if self.tail != REQUEST_END {
                    let _ = write_status(EPROTO, &mut self.answer);
                }
                self.ending = true;
                Ok(true)
            }
            Ok(len) => {
                if let Err(fault) = self.requests.push(&chunk[..len]) {
                    let _ = write_status(fault.errno(), &mut self.answer);
                    self.ending = true;
                }
                self.tail = match chunk[..len] {
                    [.., first, second] => [first, second],
                    [second] => [self.tail[1], second],
                    [] => self.tail,
                };
                Ok(true)
            }
            Err(error) => not_yet(error),
        }
    }

    /// Writes what the socket takes; `false` when some is left.
    fn write(&mut self) -> io::Result<bool> {
        while self.is_answering() {
            match self.stream.write(&self.answer.as_bytes()[self.sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(len) => self.sent += len,
                Err(error) => {
                    if !not_yet(error)? {
                        return Ok(false);
                    }
                }
            }
        }
        self.answer = Answer::default();
        self.sent = 0;
        Ok(true)
    }
}

fn answer_request(device: &dyn Device, request: Request<'_>, answer: &mut Answer) -> fmt::Result {
    let errno = match request {
        Request::Get => {
            device.status(answer)?;
            0
        }
        Request::Set(text) => device.apply(text).err().unwrap_or(0),
    };
    write_status(errno, answer)
}

/// Whether to try again at once (`true`) or when the socket is ready.
fn not_yet(error: io::Error) -> io::Result<bool> {
    match error.kind() {
        io::ErrorKind::WouldBlock => Ok(false),
        io::ErrorKind::Interrupted => Ok(true),
        _ => Err(error),
    }
}
