//! Bytes between a machine and a guest, compared by hash.
use super::{PATIENCE, Seat};
use anyhow::{Context as _, Result, anyhow, ensure};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use underpass_linux::demo::stage::Machine;

/// The port on either side.
const PORT: u16 = 8000;

/// Sends `bytes` random bytes over TCP from `machine` to `address` on `seat`.
///
/// # Errors
/// When the connection breaks or stands still, or the hashes differ.
pub fn into_guest(machine: &Machine, seat: &Seat, address: IpAddr, bytes: usize) -> Result<()> {
    let mut text = vec![0; bytes];
    SystemRandom::new().fill(&mut text).map_err(|_| anyhow!("no randomness"))?;
    let (part, whole) = (seat.file("hash.part"), seat.file("hash"));
    seat.run(&format!("rm -f {whole}; (nc -l -p {PORT} | sha256sum > {part}; mv {part} {whole}) > /dev/null 2>&1 &"))?;
    seat.wait_until(&format!("netstat -ltn | grep -q ':{PORT} '"))?;
    let mut stream = machine
        .inside(|| TcpStream::connect_timeout(&SocketAddr::new(address, PORT), PATIENCE))
        .with_context(|| format!("connecting to {address} in the guest"))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(&text)?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let heard = seat.wait_until(&format!("cat {whole}"))?;
    ensure!(heard.starts_with(&sha256(&text)), "sent {}, received {heard}", sha256(&text));
    Ok(())
}

/// Sends `bytes` random bytes over TCP from `seat` to `address` on `machine`.
///
/// # Errors
/// When the connection breaks or stands still, or the hashes differ.
pub fn out_of_guest(machine: &Machine, seat: &Seat, address: IpAddr, bytes: usize) -> Result<()> {
    let listener = machine.inside(|| TcpListener::bind((address, PORT))).context("listening")?;
    let blob = seat.file("blob");
    let said = seat.run(&format!("head -c {bytes} /dev/urandom > {blob}; sha256sum < {blob}"))?;
    // When it does not come through, the guest gives up and says so; nobody waits here for a connection that never comes.
    let mut text = vec![0; bytes];
    let read = std::thread::spawn(move || -> Result<Vec<u8>> {
        let (mut stream, _) = listener.accept()?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.read_exact(&mut text)?;
        Ok(text)
    });
    seat.run(&format!("nc -w {} {address} {PORT} < {blob}; s=$?; rm {blob}; exit $s", PATIENCE.as_secs() / 2))?;
    let text = read.join().map_err(|_| anyhow!("the receiver panicked"))??;
    ensure!(said.starts_with(&sha256(&text)), "sent {said}, received {}", sha256(&text));
    Ok(())
}

fn sha256(text: &[u8]) -> String {
    digest(&SHA256, text).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
