//! Tunnels as lines of a table.
use super::{State, Tunnel};
use crate::cli::show::human::bytes;
use crate::cli::terminal::{Paint, Style};
use std::time::Duration;

const TITLES: [&str; 7] = ["TUNNEL", "STATE", "PEERS", "HANDSHAKE", "RECEIVED", "SENT", "ENDPOINT"];

/// A line for each tunnel, below one that says what the columns are.
pub(super) fn render(tunnels: &[Tunnel], paint: Paint) -> String {
    let mut rows = vec![TITLES.map(str::to_owned)];
    rows.extend(tunnels.iter().map(row));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; TITLES.len()] = std::array::from_fn(width);
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        let style = match number.checked_sub(1).map(|number| tunnels[number].state) {
            None => Style::Bold,
            Some(State::Connected) => Style::Interface,
            Some(State::Idle | State::NoPeers) => Style::Peer,
            Some(_) => Style::Alarm,
        };
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            let padded = format!("{cell:<width$}");
            match number == 0 || column == 1 {
                true => line.push_str(&paint.paint(style, padded).to_string()),
                false => line.push_str(&padded),
            }
            line.push_str("  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn row(tunnel: &Tunnel) -> [String; TITLES.len()] {
    let (received, sent) = tunnel.transfer();
    let endpoints: Vec<&String> = tunnel.status.peers.iter().filter_map(|peer| peer.endpoint.as_ref()).collect();
    let endpoint = match endpoints[..] {
        [] => "-".into(),
        [one] => one.clone(),
        _ => format!("{} of them", endpoints.len()),
    };
    [
        tunnel.status.name.clone(),
        word(tunnel.state),
        format!("{}/{}", tunnel.live, tunnel.status.peers.len()),
        tunnel.heard.map_or_else(|| "never".into(), ago),
        bytes(received, Paint::PLAIN),
        bytes(sent, Paint::PLAIN),
        endpoint,
    ]
}

fn word(state: State) -> String {
    match state {
        State::Connected => "connected".into(),
        State::Idle => "idle".into(),
        State::NoAnswer => "no answer yet".into(),
        State::NotSent(error) => error.text().into(),
        State::LinkDown => "interface is down".into(),
        State::NoPeers => "no peers".into(),
    }
}

/// In the largest unit that fits.
fn ago(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::status::InterfaceStatus;
    use underpass_core::tunnel::SendError;

    const KEY: &str = "public_key=e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a\n";

    fn tunnel(peers: &[&str], is_up: bool) -> Tunnel {
        let answer: String = peers.iter().map(|peer| format!("{KEY}{peer}")).collect();
        let status = InterfaceStatus::parse("wg0", &format!("{answer}errno=0\n\n")).expect("valid");
        Tunnel::new(status, is_up, Duration::from_secs(1000))
    }

    #[test]
    fn a_tunnel_is_as_its_peers_are() {
        let rows: [(&[&str], bool, State, &str); 6] = [
            (&["last_handshake_time_sec=821\n", ""], true, State::Connected, "1/2"),
            (&["last_handshake_time_sec=820\n"], true, State::Idle, "0/1"),
            (&[""], true, State::NoAnswer, "0/1"),
            (&["last_send_error=unreachable\n"], true, State::NotSent(SendError::Unreachable), "0/1"),
            (&["last_handshake_time_sec=999\n"], false, State::LinkDown, "1/1"),
            (&[], true, State::NoPeers, "0/0"),
        ];
        for (number, (peers, is_up, state, count)) in rows.into_iter().enumerate() {
            let tunnel = tunnel(peers, is_up);
            assert_eq!((tunnel.state, row(&tunnel)[2].as_str()), (state, count), "row {number}");
        }
    }

    #[test]
    fn columns_stand_below_their_titles() {
        let peer = "endpoint=192.0.2.1:51820\nlast_handshake_time_sec=900\nrx_bytes=1536\ntx_bytes=12\n";
        let expected = "\
TUNNEL  STATE      PEERS  HANDSHAKE  RECEIVED  SENT  ENDPOINT
wg0     connected  1/1    1 min ago  1.50 KiB  12 B  192.0.2.1:51820
";
        assert_eq!(render(&[tunnel(&[peer], true)], Paint::PLAIN), expected);
        let coloured = render(&[tunnel(&[peer], true)], Paint::COLOURED);
        assert!(coloured.contains("\x1b[32mconnected\x1b[0m"), "{coloured:?}");
    }

    #[test]
    fn times_are_short() {
        for (seconds, text) in [(0, "0 s ago"), (60, "1 min ago"), (7200, "2 h ago"), (90_000, "1 d ago")] {
            assert_eq!(ago(Duration::from_secs(seconds)), text);
        }
    }
}
