//! A web server and a browser, as small as can be told apart from none (HTTP/1.0, RFC 1945).
use super::stack::Stack;
use core::net::Ipv4Addr;
use smoltcp::iface::SocketHandle;
use smoltcp::socket::tcp;
use std::collections::BTreeMap;

const PORT: u16 = 80;

/// Serves one connection after the other.
pub(super) struct Server {
    pages: BTreeMap<&'static str, Vec<u8>>,
    socket: SocketHandle,
    request: Vec<u8>,
    response: Option<Vec<u8>>,
    sent: usize,
}

impl Server {
    /// A server of these pages.
    pub(super) fn new(stack: &mut Stack, pages: BTreeMap<&'static str, Vec<u8>>) -> Self {
        let socket = stack.add_tcp();
        Self { pages, socket, request: Vec::new(), response: None, sent: 0 }
    }

    /// Does what can be done at this moment.
    pub(super) fn serve(&mut self, stack: &mut Stack) {
        let socket = stack.tcp(self.socket);
        if !socket.is_open() {
            self.request.clear();
            self.response = None;
            self.sent = 0;
            socket.listen(PORT).expect("a closed socket can listen");
        }
        while socket.can_recv() {
            let taken = socket.recv(|bytes| (bytes.len(), self.request.extend_from_slice(bytes)));
            if taken.is_err() {
                break;
            }
        }
        if self.response.is_none() && self.request.ends_with(b"\r\n\r\n") {
            self.response = Some(self.answer());
        }
        let Some(response) = &self.response else { return };
        if let Ok(sent) = socket.send_slice(&response[self.sent..]) {
            self.sent += sent;
        }
        if self.sent == response.len() {
            socket.close();
        }
    }

    fn answer(&self) -> Vec<u8> {
        let request = String::from_utf8_lossy(&self.request);
        let page = request.split(' ').nth(1).and_then(|path| self.pages.get(path));
        let (status, body) = page.map_or(("404 Not Found", &[][..]), |page| ("200 OK", &page[..]));
        let mut response = format!("HTTP/1.0 {status}\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
        response.extend_from_slice(body);
        response
    }
}

/// One page being fetched over one connection.
pub(super) struct Fetch {
    socket: SocketHandle,
    request: Vec<u8>,
    received: Vec<u8>,
}

impl Fetch {
    /// Opens the connection that will fetch `path`.
    pub(super) fn begin(stack: &mut Stack, server: Ipv4Addr, local_port: u16, path: &str) -> Result<Self, String> {
        let socket = stack.connect((server, PORT), local_port)?;
        let request = format!("GET {path} HTTP/1.0\r\n\r\n").into_bytes();
        Ok(Self { socket, request, received: Vec::new() })
    }

    /// Does what can be done at this moment.
    pub(super) fn go_on(&mut self, stack: &mut Stack) {
        let socket = stack.tcp(self.socket);
        if socket.can_send() && !self.request.is_empty() {
            let sent = socket.send_slice(&self.request).unwrap_or(0);
            self.request.drain(..sent);
        }
        while socket.can_recv() {
            let taken = socket.recv(|bytes| (bytes.len(), self.received.extend_from_slice(bytes)));
            if taken.is_err() {
                break;
            }
        }
        if socket.state() == tcp::State::CloseWait {
            socket.close();
        }
    }

    /// Bytes that came so far, header included.
    pub(super) fn received(&self) -> usize {
        self.received.len()
    }

    /// Whether the connection stands.
    pub(super) fn is_connected(&self, stack: &mut Stack) -> bool {
        stack.tcp(self.socket).state() == tcp::State::Established
    }

    /// The page, once all of it is there. `Err`: the server refused, or the connection broke.
    pub(super) fn page(&self, stack: &mut Stack) -> Option<Result<&[u8], String>> {
        if !self.request.is_empty() || stack.tcp(self.socket).may_recv() {
            return None;
        }
        Some(self.read())
    }

    fn read(&self) -> Result<&[u8], String> {
        let end = self.received.windows(4).position(|four| four == b"\r\n\r\n").ok_or("the connection broke")?;
        let (header, body) = self.received.split_at(end + 4);
        let header = String::from_utf8_lossy(header);
        let length = header.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        if !header.starts_with("HTTP/1.0 200 ") {
            return Err(format!("the server says {}", header.lines().next().unwrap_or_default()));
        }
        if length.and_then(|length| length.parse().ok()) != Some(body.len()) {
            return Err(format!("the connection broke after {} bytes", body.len()));
        }
        Ok(body)
    }
}
