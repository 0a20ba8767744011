//! The `[Peer]` sections: each line by line, then all of them together.
use crate::config::change::{AllowedIp, Endpoint, PeerChange};
use crate::config::diagnostic::Section;
use crate::config::interface::listed;
use crate::config::keys::{self, Key};
use crate::config::lines::{Position, Span};
use crate::config::loops;
use crate::config::parser::{Findings, Seen};
use crate::config::quick::QuickConfig;
use crate::config::reason::Reason;
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
    /// All but key and allowed IPs.
    change: PeerChange,
    endpoint_at: Position,
    allowed_ips: Vec<(AllowedIp, Position)>,
}

impl PeerDraft {
    /// A peer of which nothing is known but where its section begins.
    pub(super) fn new(header: Position) -> Self {
        let nobody = PublicKey::from_bytes([0; 32]);
        let change = PeerChange { replace_allowed_ips: true, ..PeerChange::new(nobody) };
        let (seen, allowed_ips) = (Seen::default(), Vec::new());
        Self { header, seen, key_at: None, public_key: None, change, endpoint_at: header, allowed_ips }
    }

    /// Takes one line. `value` is empty only where the table of keys allows it.
    pub(super) fn entry(&mut self, key: Key, value: Span<'_>, found: &mut Findings) {
        let at = value.at;
        let text = value.squeezed();
        match key {
            Key::PublicKey => {
                self.key_at = Some(at);
                self.public_key = found.keep(at, public_key(&text));
                if self.public_key.is_some_and(|key| is_zero(&key)) {
                    found.report(at, Reason::ZeroPublicKey);
                }
            }
            Key::PresharedKey => {
                self.change.preshared_key = found.keep(at, PresharedKey::from_base64(&text).map_err(Reason::Key));
            }
            Key::AllowedIps => self.allowed_ips(value, found),
            Key::Endpoint => {
                let endpoint = found.keep(at, value::endpoint(&text));
                if let Some((_, true)) = endpoint {
                    found.report(at, Reason::UnbracketedIpv6);
                }
                self.change.endpoint = endpoint.map(|(endpoint, _)| endpoint);
                self.endpoint_at = at;
            }
            Key::PersistentKeepalive => {
                self.change.persistent_keepalive = found.keep(at, value::keepalive(&text));
            }
            // Keys of the other section, which the caller sorts out.
            _ => {}
        }
    }

    /// As `wg` does: each line begins as a replacement of the allowed IPs there are, a `+` or `-` in it makes it a
    /// change to them.
    fn allowed_ips(&mut self, value: Span<'_>, found: &mut Findings) {
        self.change.replace_allowed_ips = true;
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
            self.change.replace_allowed_ips &= !incremental;
            self.allowed_ips.push((allowed, item.at));
        }
    }

    /// Whether an allowed IP of this section is lost when `later` follows: it replaces them all, by others.
    fn loses_to(&self, later: &Self) -> bool {
        if !later.change.replace_allowed_ips {
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
        match &self.change.endpoint {
            Some(Endpoint::Address(address)) => Some((address.ip(), self.endpoint_at)),
            Some(Endpoint::Name { .. }) | None => None,
        }
    }

    /// Adds a later section of the same peer, applied after this one as the `wg` protocol does.
    fn followed_by(&mut self, later: Self) {
        let theirs = later.change;
        if theirs.replace_allowed_ips {
            self.change.replace_allowed_ips = true;
            self.allowed_ips.clear();
        }
        self.allowed_ips.extend(later.allowed_ips);
        if theirs.endpoint.is_some() {
            self.endpoint_at = later.endpoint_at;
        }
        let ours = &mut self.change;
        ours.preshared_key = theirs.preshared_key.or(ours.preshared_key.take());
        ours.endpoint = theirs.endpoint.or(ours.endpoint.take());
        ours.persistent_keepalive = theirs.persistent_keepalive.or(ours.persistent_keepalive);
    }

    /// Where all are replaced, taking one away is the same as not adding it.
    fn settle(&mut self) {
        if !self.change.replace_allowed_ips || self.allowed_ips.iter().all(|(a, _)| !a.remove) {
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
pub(super) fn join(drafts: Vec<PeerDraft>, config: &QuickConfig, found: &mut Findings) -> Vec<PeerChange> {
    found.section = Some(Section::Peer);
    let ours = config.tunnel.private_key.as_ref().map(PrivateKey::public_key);
    let mut peers: Vec<Option<PeerDraft>> = Vec::new();
    let mut places: BTreeMap<PublicKey, usize> = BTreeMap::new();
    found.key = Some(keys::name(Key::PublicKey));
    for draft in drafts {
        let (Some(key), Some(at)) = (draft.public_key, draft.key_at) else {
            if draft.key_at.is_none() {
                found.key = None;
                found.report(draft.header, Reason::MissingPublicKey);
                found.key = Some(keys::name(Key::PublicKey));
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
    peers.into_iter().filter_map(change).collect()
}

/// Reports each allowed IP that another peer before has too.
fn report_shared(peers: &[PeerDraft], found: &mut Findings) {
    found.key = Some(keys::name(Key::AllowedIps));
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

fn change(draft: PeerDraft) -> Option<PeerChange> {
    let allowed_ips = draft.allowed_ips.into_iter().map(|(allowed, _)| allowed).collect();
    Some(PeerChange { public_key: draft.public_key?, allowed_ips, ..draft.change })
}
