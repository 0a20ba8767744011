//! The `[Peer]` sections: each line by line, then all of them together.
use crate::config::change::{AllowedIp, Endpoint, NewPeer};
use crate::config::diagnostic::Section;
use crate::config::interface::listed;
use crate::config::lines::{Position, Span};
use crate::config::loops;
use crate::config::parser::{Findings, Seen};
use crate::config::quick::QuickConfig;
use crate::config::reason::Reason;
use crate::config::settings::{self, Setting};
use crate::config::value;
use crate::crypto::{PresharedKey, PrivateKey, PublicKey};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::net::IpAddr;
use ipnet::IpNet;

/// What is known of one peer so far.
pub(super) struct PeerDraft {
    header: Position,
    pub(super) seen: Seen,
    key_at: Option<Position>,
    public_key: Option<PublicKey>,
    preshared_key: Option<PresharedKey>,
    endpoint: Option<Endpoint>,
    endpoint_at: Position,
    persistent_keepalive: Option<u16>,
    /// Whether the allowed IPs are all that the peer has, not changes to those of its sections before.
    replaces: bool,
    /// Added and taken away, in order.
    allowed_ips: Vec<(AllowedIp, Position)>,
}

impl PeerDraft {
    /// A peer of which nothing is known but where its section begins.
    pub(super) fn new(header: Position) -> Self {
        Self {
            header,
            seen: Seen::default(),
            key_at: None,
            public_key: None,
            preshared_key: None,
            endpoint: None,
            endpoint_at: header,
            persistent_keepalive: None,
            replaces: true,
            allowed_ips: Vec::new(),
        }
    }

    /// Takes one line. `value` is empty only where the table of keys allows it.
    pub(super) fn entry(&mut self, key: Setting, value: Span<'_>, found: &mut Findings) {
        let at = value.at;
        let text = value.squeezed();
        match key {
            Setting::PublicKey => {
                self.key_at = Some(at);
                self.public_key = found.keep(at, public_key(&text));
                if self.public_key.is_some_and(|key| is_zero(&key)) {
                    found.report(at, Reason::ZeroPublicKey);
                }
            }
            Setting::PresharedKey => {
                self.preshared_key = found.keep(at, PresharedKey::from_base64(&text).map_err(Reason::Key));
            }
            Setting::AllowedIps => self.allowed_ips(value, found),
            Setting::Endpoint => {
                let endpoint = found.keep(at, value::endpoint(&text));
                if let Some((_, true)) = endpoint {
                    found.report(at, Reason::UnbracketedIpv6);
                }
                self.endpoint = endpoint.map(|(endpoint, _)| endpoint);
                self.endpoint_at = at;
            }
            Setting::PersistentKeepalive => {
                self.persistent_keepalive = found.keep(at, value::keepalive(&text));
            }
            // Keys of the other section, which the caller sorts out.
            _ => {}
        }
    }

    /// As `wg` does: each line begins as a replacement of the allowed IPs there are, a `+` or `-` in it makes it a
    /// change to them. There are those of the same peer that the text lists before.
    fn allowed_ips(&mut self, value: Span<'_>, found: &mut Findings) {
        self.replaces = true;
        if value.text.is_empty() {
            return;
        }
        let mut items = listed(value, found).peekable();
        if items.peek().is_none() {
            found.report(value.at, Reason::EmptyValue);
        }
        for item in items {
            let Some((mut allowed, incremental)) = found.keep(item.at, value::allowed_ip(&item.squeezed())) else {
                continue;
            };
            let whole = allowed.network.trunc();
            if whole != allowed.network {
                found.report(item.at, Reason::HostBits);
            }
            allowed.network = whole;
            self.replaces &= !incremental;
            self.allowed_ips.push((allowed, item.at));
        }
    }

    /// Whether an allowed IP of this section is lost when `later` follows: it replaces them all, by others.
    fn loses_to(&self, later: &Self) -> bool {
        if !later.replaces {
            return false;
        }
        let kept: BTreeSet<IpNet> = later.added().map(|(network, _)| network).collect();
        self.added().any(|(network, _)| !kept.contains(&network))
    }

    /// The allowed IPs that are added, and where.
    fn added(&self) -> impl Iterator<Item = (IpNet, Position)> + '_ {
        self.allowed_ips.iter().filter(|(allowed, _)| !allowed.remove).map(|(allowed, at)| (allowed.network, *at))
    }

    /// Where the peer is, if that is told by an address.
    fn address(&self) -> Option<(IpAddr, Position)> {
        match &self.endpoint {
            Some(Endpoint::Address(address)) => Some((address.ip(), self.endpoint_at)),
            Some(Endpoint::Name { .. }) | None => None,
        }
    }

    /// Adds a later section of the same peer, applied after this one as the `wg` protocol does.
    fn followed_by(&mut self, later: Self) {
        if later.replaces {
            self.replaces = true;
            self.allowed_ips.clear();
        }
        self.allowed_ips.extend(later.allowed_ips);
        if later.endpoint.is_some() {
            self.endpoint_at = later.endpoint_at;
        }
        self.preshared_key = later.preshared_key.or(self.preshared_key.take());
        self.endpoint = later.endpoint.or(self.endpoint.take());
        self.persistent_keepalive = later.persistent_keepalive.or(self.persistent_keepalive);
    }

    /// Takes out what is taken away, and all that takes away: there is nothing before the text to take it from.
    fn settle(&mut self) {
        if self.allowed_ips.iter().all(|(a, _)| !a.remove) {
            return;
        }
        let numbered = || self.allowed_ips.iter().enumerate();
        let removals: BTreeMap<IpNet, usize> =
            numbered().filter(|(_, (a, _))| a.remove).map(|(i, (a, _))| (a.network, i)).collect();
        let stays = |i: usize, a: &AllowedIp| !a.remove && removals.get(&a.network).is_none_or(|removed| i > *removed);
        self.allowed_ips = numbered().filter(|(i, (a, _))| stays(*i, a)).map(|(_, entry)| *entry).collect();
    }
}

/// A peer's public key. All zeros is one, as it is for the Linux implementation, which never speaks to such a peer.
fn public_key(text: &str) -> Result<PublicKey, Reason> {
    let key = PublicKey::from_base64(text).map_err(Reason::Key)?;
    if key.is_low_order() && !is_zero(&key) { Err(Reason::LowOrderPublicKey) } else { Ok(key) }
}

fn is_zero(key: &PublicKey) -> bool {
    *key.as_bytes() == [0; 32]
}

/// Joins the sections of each peer, and reports what concerns more than one line. A peer stands where its last section
/// stands, so that the last owner of a shared allowed IP is the one `wg` would leave it to.
pub(super) fn join(drafts: Vec<PeerDraft>, config: &QuickConfig, found: &mut Findings) -> Vec<NewPeer> {
    found.section = Some(Section::Peer);
    let ours = config.tunnel.private_key.as_ref().map(PrivateKey::public_key);
    let mut peers: Vec<Option<PeerDraft>> = Vec::new();
    let mut places: BTreeMap<PublicKey, usize> = BTreeMap::new();
    found.key = Some(settings::name(Setting::PublicKey));
    for draft in drafts {
        let (Some(key), Some(at)) = (draft.public_key, draft.key_at) else {
            if draft.key_at.is_none() {
                found.key = None;
                found.report(draft.header, Reason::MissingPublicKey);
                found.key = Some(settings::name(Setting::PublicKey));
            }
            continue;
        };
        if ours == Some(key) {
            found.report(at, Reason::OwnPublicKey);
        }
        let earlier = places.insert(key, peers.len()).and_then(|place| peers.get_mut(place)).and_then(Option::take);
        let joined = match earlier {
            Some(mut first) => {
                let first_line = first.header.line;
                let loses = first.loses_to(&draft);
                found.report(
                    at,
                    match loses {
                        true => Reason::LostAllowedIps { first_line },
                        false => Reason::RepeatedPeer { first_line },
                    },
                );
                first.followed_by(draft);
                first
            }
            None => draft,
        };
        peers.push(Some(joined));
    }
    let mut peers: Vec<PeerDraft> = peers.into_iter().flatten().collect();
    peers.iter_mut().for_each(PeerDraft::settle);
    report_shared(&peers, found);
    let endpoints = peers.iter().filter_map(PeerDraft::address);
    loops::report(&config.table, peers.iter().flat_map(PeerDraft::added), endpoints, found);
    peers.into_iter().filter_map(new_peer).collect()
}

/// Reports each allowed IP that another peer before has too.
fn report_shared(peers: &[PeerDraft], found: &mut Findings) {
    found.key = Some(settings::name(Setting::AllowedIps));
    let mut owners: BTreeMap<IpNet, (usize, u32)> = BTreeMap::new();
    for (i, peer) in peers.iter().enumerate() {
        for (network, at) in peer.added() {
            match owners.insert(network, (i, at.line)) {
                Some((other, line)) if other != i => found.report(at, Reason::SharedAllowedIp { other_line: line }),
                _ => {}
            }
        }
    }
}

fn new_peer(draft: PeerDraft) -> Option<NewPeer> {
    let allowed_ips = draft.added().map(|(network, _)| network).collect();
    Some(NewPeer {
        preshared_key: draft.preshared_key,
        endpoint: draft.endpoint,
        persistent_keepalive: draft.persistent_keepalive.unwrap_or(0),
        allowed_ips,
        ..NewPeer::new(draft.public_key?)
    })
}
