//! Everything that configures a tunnel, with structs of any size and numbers of any value.
use super::world::{Later, World, allowed_ip, blank_change, c_address, number, path_from};
use crate::pair::{address, private_key};
use crate::tunnel_ops::script::Script;
use std::ptr;
use underpass::batch::underpass_tunnel_handle_packets;
use underpass::commands::{
    underpass_tunnel_connect, underpass_tunnel_end_sessions, underpass_tunnel_handle_send_error,
    underpass_tunnel_reset_peer_timestamp, underpass_tunnel_set_endpoint, underpass_tunnel_set_refused,
};
use underpass::config::{underpass_config_free, underpass_config_parse};
use underpass::configure::{
    underpass_tunnel_apply_config, underpass_tunnel_configure_peers, underpass_tunnel_remove_all_peers,
    underpass_tunnel_set_mtu, underpass_tunnel_set_private_key,
};
use underpass::drain::underpass_tunnel_poll_timeout;
use underpass::facts::{
    underpass_tunnel_handle_network_change, underpass_tunnel_handle_timeout, underpass_tunnel_handle_wall_clock,
};
use underpass::options::{underpass_options, underpass_tunnel_new_from_config};
use underpass::uapi::{underpass_tunnel_uapi_get, underpass_tunnel_uapi_set, underpass_uapi_result};
use underpass::words::{UNDERPASS_E_NULL, UNDERPASS_OK};

const HOUR: u64 = 3_600_000_000_000;

/// Lines of configurations and requests.
const LINES: &[&str] = &[
    "[Interface]\n",
    "[Peer]\n",
    "PrivateKey = YAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n",
    "PublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\n",
    "PublicKey = TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=\n",
    "PresharedKey = TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=\n",
    "AllowedIPs = 10.0.0.0/8, fd00::/64\n",
    "Endpoint = vpn.example.com:51820\n",
    "Endpoint = 192.0.2.1:51820\n",
    "PersistentKeepalive = 25\n",
    "MTU = 1280\n",
    "DNS = 192.0.2.53, corp.example\n",
    "PostUp = true %i\n",
    "Table = main\n",
    "Table = off\n",
    "ListenPort = 1\n",
    "Nonsense\n",
    "public_key=c53201039adba14be71f886da1d8dbe9eebded08cb111b75340078999aa9f038\n",
    "public_key=0000000000000000000000000000000000000000000000000000000000000000\n",
    "private_key=6009f3e5317e9575c9b5ed78b638b7ce530dabe85ddab614220241801ddf0669\n",
    "replace_peers=true\n",
    "remove=true\n",
    "update_only=true\n",
    "allowed_ip=10.1.2.3/32\n",
    "allowed_ip=-10.1.2.3/32\n",
    "replace_allowed_ips=true\n",
    "endpoint=192.0.2.9:9\n",
    "persistent_keepalive_interval=65535\n",
    "listen_port=7\n",
    "fwmark=1\n",
    "fwmark=99999999999\n",
];

/// A text of such lines, sometimes with bytes of the script's own in it.
fn text(script: &mut Script<'_>) -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..script.byte().unwrap_or(0) % 12 {
        match script.byte().unwrap_or(0) {
            0xff => text.extend_from_slice(script.bytes(4)),
            line => text.extend_from_slice(LINES[usize::from(line) % LINES.len()].as_bytes()),
        }
    }
    text
}

impl World {
    /// Time goes on, or back; the clock may fail once; nothing stays due.
    pub(super) fn advance(&mut self, who: usize, script: &mut Script<'_>) {
        let how = script.byte().unwrap_or(0);
        let step = match how {
            0..100 => script.number() * 1_000_000,
            100..200 => script.number() * 1_000_000_000,
            200..205 => u64::MAX - self.now,
            _ => 0,
        };
        self.now = self.now.saturating_add(step).min(u64::MAX / 2);
        match how {
            254 => self.now = self.now.saturating_sub(HOUR),
            255 => drop(self.judge(underpass_tunnel_handle_timeout(self.tunnels[who], u64::MAX))),
            _ => {}
        }
        self.judge(underpass_tunnel_handle_timeout(self.tunnels[who], self.now));
        let mut due = 0;
        assert_eq!(underpass_tunnel_poll_timeout(self.tunnels[who], &mut due), UNDERPASS_OK);
        assert!(due > self.now, "a deadline stays due");
    }

    /// One of the calls that tell a tunnel something, about a peer that may not be there.
    pub(super) fn command(&mut self, who: usize, script: &mut Script<'_>) {
        let (which, sign) = (script.byte().unwrap_or(0), script.byte().unwrap_or(0));
        let (tunnel, now) = (self.tunnels[who], self.now);
        let peer = if sign < 200 { self.peers[who] } else { u64::from(sign) << (sign & 31) };
        let mut path = path_from(1 - who);
        path.remote.family = if sign % 8 == 7 { sign } else { path.remote.family };
        let status = match which % 9 {
            0 => underpass_tunnel_connect(tunnel, now, peer),
            1 => underpass_tunnel_set_endpoint(tunnel, now, peer, &path.remote),
            2 if sign & 1 == 0 => {
                underpass_tunnel_handle_send_error(tunnel, peer, &path, usize::from(sign & 6), u32::from(sign >> 4))
            }
            2 if sign & 2 == 0 => underpass_tunnel_end_sessions(tunnel, now, peer),
            2 => underpass_tunnel_set_refused(tunnel, now, peer, u32::from(sign >> 2 & 1)),
            3 => underpass_tunnel_reset_peer_timestamp(tunnel, peer),
            4 => underpass_tunnel_handle_network_change(tunnel, now),
            5 => underpass_tunnel_handle_wall_clock(tunnel, now, u64::from(sign) << 56),
            6 => underpass_tunnel_set_endpoint(tunnel, now, peer, ptr::null()),
            7 => underpass_tunnel_connect(ptr::null_mut(), now, peer),
            _ => underpass_tunnel_handle_packets(tunnel, now, ptr::null_mut(), usize::from(sign & 1)),
        };
        self.judge(status);
        assert!(!matches!(which % 9, 6 | 7) || status == UNDERPASS_E_NULL);
    }

    /// Up to three changes of peers in one call, all of one size or not.
    pub(super) fn change_peers(&mut self, who: usize, script: &mut Script<'_>) {
        let host = b"vpn.example.com\0";
        let mut allowed = [allowed_ip([10, number(1 - who), 0, 0], 16); 3];
        for ip in &mut allowed {
            let (prefix, kind) = (script.byte().unwrap_or(16), script.byte().unwrap_or(0));
            (ip.network.prefix, ip.remove) = (prefix % 40, u32::from(kind & 1));
            ip.network.family = [4, 4, 4, 6, 6, 0, 9][usize::from(kind >> 1) % 7];
        }
        let later = Later { known: blank_change(), more: [0; 64] };
        let mut changes = [later; 3];
        for change in &mut changes {
            change.known = self.change();
            change.known.size = size_of_val(change) as u32;
            let (key, kind) = (script.byte().unwrap_or(0) % 6, script.byte().unwrap_or(0));
            let public = *private_key(key).public_key().as_bytes();
            change.known.public_key = if key == 0 { [0; 32] } else { public };
            (change.known.action, change.known.flags) = (u32::from(kind >> 6), script.byte().unwrap_or(0).into());
            change.known.persistent_keepalive = script.byte().unwrap_or(0).into();
            change.known.endpoint = c_address(address(number(1 - who)));
            change.known.endpoint_host = if kind & 1 == 0 { ptr::null() } else { host.as_ptr().cast() };
            change.known.allowed_ips = if kind & 6 == 6 { ptr::null() } else { allowed.as_ptr() };
            change.known.allowed_ips_len = usize::from(kind >> 3 & 3);
            change.more[usize::from(kind) % 64] = u8::from(kind & 0x38 == 0x38);
        }
        let size = script.byte().unwrap_or(0);
        if size >= 240 {
            changes[usize::from(size) % 3].known.size = u32::from(size & 7) * 60;
        }
        let len = usize::from(size) % 4;
        let (tunnel, now) = (self.tunnels[who], self.now);
        let before = self.described(who);
        let status =
            underpass_tunnel_configure_peers(tunnel, now, ptr::from_ref(&changes).cast(), len, ptr::null_mut());
        if self.judge(status) != UNDERPASS_OK {
            assert_eq!(self.described(who), before, "status {status}, and a change");
        }
        self.find_peer(who);
    }

    pub(super) fn change_tunnel(&mut self, who: usize, script: &mut Script<'_>) {
        let (which, value) = (script.byte().unwrap_or(0), script.number());
        let (tunnel, now) = (self.tunnels[who], self.now);
        let status = match which % 8 {
            0 => underpass_tunnel_remove_all_peers(tunnel, now),
            1 => underpass_tunnel_set_private_key(tunnel, now, ptr::null()),
            2 | 3 => underpass_tunnel_set_private_key(tunnel, now, private_key(number(who)).as_bytes().as_ptr()),
            // The scripts' buffers are for MTUs up to the usual one.
            4 => underpass_tunnel_set_mtu(tunnel, now, u32::try_from(value % 1421).expect("16 bits")),
            5 => underpass_tunnel_set_mtu(tunnel, now, 70_000),
            _ => UNDERPASS_OK,
        };
        self.judge(status);
        if which % 8 >= 6 {
            self.introduce(who);
        }
    }

    pub(super) fn uapi(&mut self, who: usize, script: &mut Script<'_>) {
        let text = text(script);
        let size = script.byte().unwrap_or(0);
        let mut result =
            underpass_uapi_result { size: size_of::<underpass_uapi_result>() as u32, ..Default::default() };
        if size >= 0xf0 {
            result.size = u32::from(size & 15);
        }
        let before = self.described(who);
        let is_done = self.judge_out(&mut result, |world, out| {
            underpass_tunnel_uapi_set(world.tunnels[who], world.now, text.as_ptr().cast(), text.len(), out)
        });
        if !is_done || result.error_number != 0 {
            assert_eq!(self.described(who), before, "a refused request left something behind");
        }
        self.find_peer(who);
    }

    /// What a tunnel says of itself.
    fn described(&mut self, who: usize) -> Vec<u8> {
        let mut len = 0;
        assert_eq!(underpass_tunnel_uapi_get(self.tunnels[who], 1, 2, ptr::null_mut(), 0, &mut len), UNDERPASS_OK);
        let mut text = vec![0xa5; len + 1];
        let mut again = 0;
        let status = underpass_tunnel_uapi_get(self.tunnels[who], 1, 2, text.as_mut_ptr().cast(), len + 1, &mut again);
        assert!((status, again, text.last()) == (UNDERPASS_OK, len, Some(&0)), "{len} bytes, then {again}");
        text
    }

    pub(super) fn parse(&mut self, script: &mut Script<'_>) {
        let text = text(script);
        let mut config = ptr::null_mut();
        if self.judge(underpass_config_parse(text.as_ptr().cast(), text.len(), &mut config)) == UNDERPASS_OK {
            let old = std::mem::replace(&mut self.config, config);
            assert_eq!(underpass_config_free(old), UNDERPASS_OK);
        } else {
            assert!(config.is_null());
        }
    }

    /// Applies the configuration, or makes a tunnel of it.
    pub(super) fn apply(&mut self, who: usize, script: &mut Script<'_>) {
        if script.byte().unwrap_or(0) & 1 == 0 {
            let before = self.described(who);
            if self.judge(underpass_tunnel_apply_config(self.tunnels[who], self.now, self.config)) != UNDERPASS_OK {
                assert_eq!(self.described(who), before);
            }
        } else {
            let mut made = ptr::null_mut();
            let status =
                underpass_tunnel_new_from_config(self.config, ptr::null(), self.now, super::world::WALL, &mut made);
            if self.judge(status) == UNDERPASS_OK {
                self.adopt(who, made);
            }
        }
        self.find_peer(who);
    }

    /// A new tunnel in the place of the old one, with options of any size.
    pub(super) fn replace(&mut self, who: usize, script: &mut Script<'_>) {
        let (kind, value) = (script.byte().unwrap_or(0), script.number() as u32);
        let mut options = Later { known: self.options(who), more: [0; 64] };
        options.known.size = size_of_val(&options) as u32;
        match kind % 8 {
            1 => options.known.size = value % (size_of::<underpass_options>() as u32 + 64),
            2 => options.more[value as usize % 64] = 1,
            3 => options.known.mtu = value,
            4 => options.known.events = value << 8,
            5 => options.known.staged_packets_per_peer = value << 4,
            6 => options.known.flags = value,
            7 => options.known.handshakes_per_source = value % 2,
            _ => {}
        }
        options.known.mtu = if kind % 8 == 3 && options.known.mtu > 1420 { 70_000 } else { options.known.mtu };
        if self.make(who, ptr::from_ref(&options).cast()) {
            self.introduce(who);
        }
    }
}
