//! The `[Peer]` sections: each line by line, then all of them together.
use crate::config::change::{AllowedIp, Endpoint, NewPeer};
use crate::config::diagnostic::Section;
use crate::config::interface::listed;
use crate::config::lines::{Position, Span};
use crate::config::loops::{self, Listed, last};
use crate::config::parser::Findings;
use crate::config::quick::QuickConfig;
use crate::config::reason::Reason;
use crate::config::settings::{self, Setting};
use crate::config::value;
use crate::crypto::{PresharedKey, PrivateKey, PublicKey};
use crate::memory::list;
use crate::order::sort;
use alloc::vec::Vec;
use core::net::IpAddr;
use ipnet::IpNet;
use zeroize::Zeroizing;

/// What is known of one peer so far.
pub(super) struct PeerDraft {
    header: Position,
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
        // A list is not squeezed as a whole: its items are.
        let whole = if key == Setting::AllowedIps { Ok(Zeroizing::default()) } else { value.squeezed() };
        let Some(text) = found.note(whole) else { return };
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
                self.endpoint = endpoint.and_then(|(endpoint, _)| found.note(endpoint));
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
            let Some(text) = found.note(item.squeezed()) else { return };
            let Some((mut allowed, incremental)) = found.keep(item.at, value::allowed_ip(&text)) else { continue };
            let whole = allowed.network.trunc();
            if whole != allowed.network {
                found.report(item.at, Reason::HostBits);
            }
            allowed.network = whole;
            self.replaces &= !incremental;
            found.push(&mut self.allowed_ips, (allowed, item.at));
        }
    }

    /// Whether the section, now at its end, is that of a peer. Without a public key it is not.
    pub(super) fn is_whole(&self, found: &mut Findings) -> bool {
        if self.key_at.is_none() {
            (found.section, found.key) = (Some(Section::Peer), None);
            found.report(self.header, Reason::MissingPublicKey);
        }
        self.public_key.is_some()
    }

    /// Whether an allowed IP of this section is lost when `later` follows: it replaces them all, by others.
    fn loses_to(&self, later: &Self, found: &mut Findings) -> bool {
        if !later.replaces {
            return false;
        }
        let mut kept: Vec<Listed> = found.collect(&|put| later.added().for_each(|(network, at)| put((network, 0, at))));
        sort(&mut kept);
        self.added().any(|(network, _)| last(&kept, network).is_none_or(|(kept, ..)| *kept != network))
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
    fn followed_by(&mut self, later: Self, found: &mut Findings) {
        if later.replaces {
            self.replaces = true;
            self.allowed_ips.clear();
        }
        later.allowed_ips.into_iter().for_each(|entry| found.push(&mut self.allowed_ips, entry));
        if later.endpoint.is_some() {
            self.endpoint_at = later.endpoint_at;
        }
        self.preshared_key = later.preshared_key.or(self.preshared_key.take());
        self.endpoint = later.endpoint.or(self.endpoint.take());
        self.persistent_keepalive = later.persistent_keepalive.or(self.persistent_keepalive);
    }

    /// Takes out what is taken away, and all that takes away: there is nothing before the text to take it from.
    fn settle(&mut self, found: &mut Findings) {
        if self.allowed_ips.iter().all(|(a, _)| !a.remove) {
            return;
        }
        let mut removals: Vec<Listed> = found.collect(&|put| {
            for (number, (allowed, at)) in self.allowed_ips.iter().enumerate() {
                if allowed.remove {
                    put((allowed.network, number, *at));
                }
            }
        });
        sort(&mut removals);
        // The last removal of the network, if any comes after the entry.
        let goes = |network: IpNet, number: usize| {
            last(&removals, network).is_some_and(|(removed, after, _)| *removed == network && *after > number)
        };
        let mut number = 0_usize;
        self.allowed_ips.retain(|(allowed, _)| {
            let stays = !allowed.remove && !goes(allowed.network, number);
            number = number.saturating_add(1);
            stays
        });
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
    found.key = Some(settings::name(Setting::PublicKey));
    let ours = config.tunnel.private_key.as_ref().map(PrivateKey::public_key);
    for draft in drafts.iter().filter(|draft| draft.public_key.is_some() && draft.public_key == ours) {
        found.report(draft.key_at.unwrap_or(draft.header), Reason::OwnPublicKey);
    }
    let mut peers = join_sections(drafts, found);
    peers.iter_mut().for_each(|peer| peer.settle(found));
    report_shared(&peers, found);
    let networks = |put: &mut dyn FnMut((IpNet, Position))| peers.iter().flat_map(PeerDraft::added).for_each(put);
    loops::report(&config.table, &networks, &mut peers.iter().filter_map(PeerDraft::address), found);
    let mut joined = found.note(list(peers.len())).unwrap_or_default();
    for peer in peers {
        if let Some(peer) = new_peer(peer, found) {
            found.push(&mut joined, peer);
        }
    }
    joined
}

/// Joins each section with the one before it of the same peer.
fn join_sections(drafts: Vec<PeerDraft>, found: &mut Findings) -> Vec<PeerDraft> {
    let mut by_key: Vec<(Option<PublicKey>, usize)> =
        found.collect(&|put| drafts.iter().enumerate().for_each(|(place, draft)| put((draft.public_key, place))));
    sort(&mut by_key);
    let mut repeated: Vec<(usize, usize)> = found.collect(&|put| {
        for ((one, earlier), (next, later)) in by_key.iter().zip(by_key.iter().skip(1)) {
            if one == next {
                put((*later, *earlier));
            }
        }
    });
    sort(&mut repeated);
    if repeated.is_empty() {
        return drafts;
    }
    let mut peers = found.note(list(drafts.len())).unwrap_or_default();
    if peers.capacity() < drafts.len() {
        return drafts;
    }
    let mut repeated = repeated.into_iter().peekable();
    for (place, draft) in drafts.into_iter().enumerate() {
        let earlier = repeated.next_if(|(later, _)| *later == place);
        let earlier = earlier.and_then(|(_, earlier)| peers.get_mut(earlier)).and_then(Option::take);
        let joined: PeerDraft = match earlier {
            Some(first) => join_two(first, draft, found),
            None => draft,
        };
        peers.push(Some(joined));
    }
    let mut joined = found.note(list(peers.len())).unwrap_or_default();
    peers.into_iter().flatten().for_each(|peer| found.push(&mut joined, peer));
    joined
}

fn join_two(mut first: PeerDraft, later: PeerDraft, found: &mut Findings) -> PeerDraft {
    let first_line = first.header.line;
    let reason = match first.loses_to(&later, found) {
        true => Reason::LostAllowedIps { first_line },
        false => Reason::RepeatedPeer { first_line },
    };
    found.report(later.key_at.unwrap_or(later.header), reason);
    first.followed_by(later, found);
    first
}

/// Reports each allowed IP that another peer before has too.
fn report_shared(peers: &[PeerDraft], found: &mut Findings) {
    found.key = Some(settings::name(Setting::AllowedIps));
    let mut owned: Vec<Listed> = found.collect(&|put| {
        for (peer, draft) in peers.iter().enumerate() {
            draft.added().for_each(|(network, at)| put((network, peer, at)));
        }
    });
    sort(&mut owned);
    for ((network, peer, at), (same, other, later)) in owned.iter().zip(owned.iter().skip(1)) {
        if network == same && peer != other {
            found.report(*later, Reason::SharedAllowedIp { other_line: at.line });
        }
    }
}

fn new_peer(draft: PeerDraft, found: &mut Findings) -> Option<NewPeer> {
    let allowed_ips = found.collect(&|put| draft.added().for_each(|(network, _)| put(network)));
    Some(NewPeer {
        preshared_key: draft.preshared_key,
        endpoint: draft.endpoint,
        persistent_keepalive: draft.persistent_keepalive.unwrap_or(0),
        allowed_ips,
        ..NewPeer::new(draft.public_key?)
    })
}
